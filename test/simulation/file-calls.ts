/**
 * Files as the code of a simulated process sees them: real ones in a temporary folder, read and written at the virtual time at
 * which the operation ends, so that the same seed does the same in the same order. The disk may be full, or not answer.
 */
import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { currentProcess, SimulatedProcess } from './rank-context.js';

const real = { ...fs };
const realPromises = { ...fsPromises };

type Operation = 'open' | 'create' | 'write' | 'sync' | 'stat' | 'name';
const TAKES_SPACE: ReadonlySet<Operation> = new Set(['create', 'write']);

class SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
  constructor(code: string, syscall: string, text: string) {
    super(`${code}: ${text}, ${syscall}`);
    this.code = code;
    this.syscall = syscall;
  }
}

/** Resolves with what `body` gives when the operation ends; rejects where it fails; never settles where the disk hangs. */
async function operate<T>(
  process: SimulatedProcess,
  path: string,
  operation: Operation,
  body: () => T,
): Promise<T> {
  const { clock, random, fileFaults } = process;
  const slow = operation === 'sync' ? random.time(0.5, 20) : random.time(0.01, 0.4);
  await new Promise<void>((resolve) => process.after(random.chance(2) ? 20 * slow : slow, resolve));
  const { nowMs } = clock;
  const fault = fileFaults.find(
    ({ file, fromMs, untilMs }) => path.endsWith(file) && fromMs <= nowMs && nowMs < untilMs,
  );
  if (fault?.kind === 'hangs') {
    process.trace(`${operation} of ${fault.file} hangs`);
    await new Promise<void>((resolve) => {
      if (Number.isFinite(fault.untilMs)) process.after(fault.untilMs - nowMs, resolve);
    });
  }
  if (fault?.kind === 'full' && TAKES_SPACE.has(operation)) {
    process.trace(`${operation} of ${fault.file} finds no space`);
    throw new SystemError('ENOSPC', 'write', 'no space left on device');
  }
  return body();
}

/** As much of node's FileHandle as runner/ uses. */
class SimulatedFile {
  readonly #process: SimulatedProcess;
  readonly #path: string;
  readonly #fd: number;
  #isTorn = false;

  constructor(process: SimulatedProcess, path: string, fd: number) {
    this.#process = process;
    this.#path = path;
    this.#fd = fd;
    process.openFiles.set(fd, path);
  }

  #operate<T>(operation: Operation, body: () => T): Promise<T> {
    return operate(this.#process, this.#path, operation, body);
  }

  async write(bytes: Uint8Array, offset = 0, length = bytes.length, position: number | null = null) {
    const take = (count: number) => ({
      bytesWritten: real.writeSync(this.#fd, bytes, offset, count, position),
      buffer: bytes,
    });
    try {
      return await this.#operate('write', () => {
        this.#isTorn = false;
        return take(length);
      });
    } catch (error) {
      // A disk that runs full takes a part first, and says so at the next write.
      if (this.#isTorn || length < 2) throw error;
      this.#isTorn = true;
      return take(length >> 1);
    }
  }

  writeFile(text: string): Promise<void> {
    return this.#operate('write', () => real.writeFileSync(this.#fd, text));
  }

  truncate(length: number): Promise<void> {
    return this.#operate('stat', () => real.ftruncateSync(this.#fd, length));
  }

  stat() {
    return this.#operate('stat', () => real.fstatSync(this.#fd));
  }

  datasync(): Promise<void> {
    return this.#operate('sync', () => undefined);
  }

  sync(): Promise<void> {
    return this.#operate('sync', () => undefined);
  }

  close(): Promise<void> {
    return this.#operate('stat', () => {
      this.#process.openFiles.delete(this.#fd);
      real.closeSync(this.#fd);
    });
  }
}

const opens =
  (process: SimulatedProcess) =>
  async (path: string, flags: string | number = 'r', mode?: number) =>
    await operate(process, path, flags === 'r' || flags === 'r+' ? 'open' : 'create', () => {
      return new SimulatedFile(process, path, real.openSync(path, flags, mode));
    });

/** By name of node:fs/promises; what is not here reaches the real one, and would end a seed's determinism. */
const PROMISES = {
  open: opens,
  mkdir: (process: SimulatedProcess) => (path: string) =>
    operate(process, path, 'create', () => real.mkdirSync(path)),
  stat: (process: SimulatedProcess) => (path: string) =>
    operate(process, path, 'stat', () => real.statSync(path)),
  rename: (process: SimulatedProcess) => (from: string, to: string) =>
    operate(process, to, 'name', () => real.renameSync(from, to)),
  rm: (process: SimulatedProcess) => (path: string, options?: fs.RmOptions) =>
    operate(process, path, 'name', () => real.rmSync(path, options)),
  writeFile: (process: SimulatedProcess) => (path: string, data: string, options?: fs.WriteFileOptions) =>
    operate(process, path, 'write', () => real.writeFileSync(path, data, options)),
} as const;

/** Whether the process of this simulated id is there, as /proc tells; undefined for every other file. */
function procText(path: unknown, isAlive: (rank: number) => boolean): string | undefined {
  const match = /^\/proc\/(\d+)\/stat$/.exec(String(path));
  if (!match) return undefined;
  const pid = Number(match[1]);
  if (!isAlive(SimulatedProcess.rankOfPid(pid)))
    throw new SystemError('ENOENT', 'open', 'no such file or directory');
  return `${pid} (node) S${' 1'.repeat(18)} 4711`;
}

/** Descriptors by which a process reopens its standard outputs. */
const FIRST_STANDARD = 1_000_000;

/** Of a process that has ended; the kernel closes them. */
export function closeFiles({ openFiles }: SimulatedProcess): void {
  for (const fd of openFiles.keys()) real.closeSync(fd);
  openFiles.clear();
}

/** Once per program. `isAlive`: of a rank of the world that runs. */
export function replaceFiles(isAlive: (rank: number) => boolean): void {
  for (const [name, simulated] of Object.entries(PROMISES)) {
    const original = realPromises[name as keyof typeof PROMISES] as (...args: unknown[]) => unknown;
    const replaced = (...args: unknown[]): unknown => {
      const process = currentProcess();
      return process ? (simulated(process) as typeof original)(...args) : original(...args);
    };
    Object.assign(fsPromises, { [name]: replaced });
  }
  const writeSync = (fd: number, data: Uint8Array | string, ...rest: never[]): number => {
    const process = currentProcess();
    if (!process || (fd > 2 && fd < FIRST_STANDARD)) return real.writeSync(fd, data as Uint8Array, ...rest);
    process.output += typeof data === 'string' ? data : Buffer.from(data).toString('utf8');
    return data.length;
  };
  const openSync = (path: fs.PathLike, flags: fs.OpenMode, mode?: fs.Mode): number => {
    const standard = currentProcess() ? /^\/proc\/self\/fd\/([12])$/.exec(String(path))?.[1] : undefined;
    return standard === undefined ? real.openSync(path, flags, mode) : FIRST_STANDARD + Number(standard);
  };
  const readFileSync = (path: fs.PathOrFileDescriptor, ...rest: never[]): unknown =>
    (currentProcess() && procText(path, isAlive)) ?? real.readFileSync(path, ...rest);
  /** Ranks of one host share a process table, those of others do not. */
  const readlinkSync = (path: fs.PathLike, ...rest: never[]): unknown => {
    const host = path === '/proc/self/ns/pid' ? currentProcess()?.host : undefined;
    return host === undefined ? real.readlinkSync(path, ...rest) : `pid:[${host}]`;
  };
  Object.assign(fs, { writeSync, openSync, readFileSync, readlinkSync });
  syncBuiltinESMExports();
}
