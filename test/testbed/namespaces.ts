/** One pretend host: a process 1 in namespaces of its own, and how to run something inside it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';

export interface Cell {
  readonly name: string;
  /** Process 1's id as this test sees it. */
  readonly pid: number;
  /** Process 1's id as seen in the head's process namespace, for what runs there. */
  readonly pidInHead: number;
  readonly holder: ChildProcess;
}

export interface CellOptions {
  readonly name: string;
  readonly folder: string;
  readonly shmSize: string;
  /** Made inside this cell's process namespace, so that it ends with it. */
  readonly inside?: Cell;
}

/** Everything that a host has for itself; the file system stays the machine's, like a shared home. */
const OWN = ['--mount', '--uts', '--ipc', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
/** Up takes 0.1 s; a loaded machine may need much more. */
const READY_LIMIT_MS = 60_000;

export function enterArgs(pid: number): string[] {
  return ['-t', String(pid), '-m', '-u', '-i', '-n', '-p', '--'];
}

async function pollUntil<T>(what: string, limitMs: number, probe: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`${what}: not there after ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function onlyChild(pid: number): number | undefined {
  try {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
    return first ? Number(first) : undefined;
  } catch {
    return undefined;
  }
}

/** The id that a process has in the namespace one level below ours. */
function pidOneLevelDown(pid: number): number {
  const ids = /^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.split(/\s+/) ?? [];
  return Number(ids[1]);
}

/** Starts process 1. It dies with this test's process: nothing of a bed outlives its test, however that ends. */
export async function openCell(options: CellOptions): Promise<Cell> {
  const ready = join(options.folder, `${options.name}.ready`);
  const init = join(projectRoot, 'test', 'testbed', 'init.sh');
  const make = ['unshare', ...OWN, '--propagation', 'private', '--', 'bash', init];
  const start = [options.name, options.shmSize, join(options.folder, 'etc-hosts'), ready];
  const enter = options.inside ? ['nsenter', ...enterArgs(options.inside.pid)] : [];
  const holder = spawn('setpriv', ['--pdeathsig', 'KILL', ...enter, ...make, ...start], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  holder.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await pollUntil(`host ${options.name}`, READY_LIMIT_MS, () => {
      if (holder.exitCode !== null)
        throw new Error(`host ${options.name} ended with status ${holder.exitCode}`);
      return existsSync(ready);
    });
  } catch (error) {
    holder.kill('SIGKILL');
    throw new Error(`${(error as Error).message}: ${said.trim()}`, { cause: error });
  }
  // setpriv becomes unshare, whose child is process 1; nsenter stands one process before it
  const unshare = options.inside ? onlyChild(holder.pid ?? 0) : holder.pid;
  const pid = onlyChild(unshare ?? 0);
  if (pid === undefined) throw new Error(`host ${options.name}: its process 1 was not found: ${said.trim()}`);
  return { name: options.name, pid, pidInHead: pidOneLevelDown(pid), holder };
}

/** The process that runs the command below nsenter, for signals: nsenter does not hand them on. */
export function commandPid(child: ChildProcess): number {
  let pid = child.pid ?? 0;
  while (/^(nsenter|setpriv)$/.test(readFileSync(`/proc/${pid}/comm`, 'utf8').trim())) {
    const below = onlyChild(pid);
    if (below === undefined) throw new Error(`process ${pid} has not started its command yet`);
    pid = below;
  }
  return pid;
}
