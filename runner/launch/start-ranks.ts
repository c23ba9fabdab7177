/** Becomes the parent of an mpirun: hands signals on once, leaves no orphan, and says how the run itself ended. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { childStatus } from '../values/child-status.js';
import { takeHeldSignal } from '../environment/early-signals.js';
import { EXIT } from '../errors.js';
import type { LaunchLine } from './mpirun.js';
import { watch } from './watchdog.js';
import { firstOf } from '../values/items.js';
import { parseJsonObject } from '../values/json.js';
import { readNumber } from '../values/keys.js';
import { entriesOf } from '../values/objects.js';

/** From a signal on: ranks write their rows and leave within a second, unless the user grants more; what is left after this is ended by force. */
const LEAVE_WITHIN_MS = 10_000;

/** What a signal to `launch` becomes for the ranks. SIGHUP and SIGUSR2 would end a launcher at once. */
const HANDED_ON = {
  SIGINT: 'SIGINT',
  SIGTERM: 'SIGTERM',
  SIGHUP: 'SIGTERM',
  SIGUSR1: 'SIGUSR1',
  SIGUSR2: 'SIGTERM',
} as const;

export interface RanksRequest {
  readonly line: LaunchLine;
  readonly environment: Readonly<Record<string, string>>;
  /** Where the run will be; its manifest has the exit status. */
  readonly folder: string;
  /** RAILRUNNER_STOP_GRACE_SECONDS: ranks get this long where it is more. */
  readonly stopGraceSeconds: number | undefined;
}

/**
 * Resolves to the exit status of the run. mpirun is detached from the terminal (setsid): a terminal's Ctrl-C and the group signals of
 * `timeout` reach only `launch`, which hands them on, because Open MPI 4.1.4 takes a second SIGINT within 5 s for "kill
 * at once". It has no standard input: what `launch` was given there belongs to the caller's script.
 */
export function startRanks(request: RanksRequest): Promise<number> {
  const { line, environment, folder, stopGraceSeconds = 0 } = request;
  const leaveWithinMs = Math.max(LEAVE_WITHIN_MS, 1000 * stopGraceSeconds);
  const before = manifestIdentity(folder);
  return new Promise((resolve, reject) => {
    // Before there is an mpirun: a signal in between would end `launch` at once, and leave that one behind.
    for (const [signal, handedOn] of entriesOf(HANDED_ON)) {
      process.on(signal, () => take(signal, handedOn));
    }
    const child = spawn(line.path, line.words, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: environment,
      detached: true,
    });
    const watchdog = watch(child.pid, firstOf(line.command));
    let signalled = 0;
    let timer: NodeJS.Timeout | undefined;
    const take = (signal: string, handedOn: NodeJS.Signals): void => {
      signalled ||= signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated;
      handOn(child, line.command, handedOn);
      timer ??= setTimeout(/* v8 ignore next -- launcher */ () => endByForce(child), leaveWithinMs);
    };
    const early = takeHeldSignal();
    if (early) take(early, HANDED_ON[early]);
    child.on('error', reject);
    child.on('exit', (status, signal) => {
      clearTimeout(timer);
      watchdog?.stdin?.end('over\n');
      const own = childStatus(status, signal);
      const isOfThisRun = manifestIdentity(folder) !== before;
      resolve((isOfThisRun ? statusOfRun(folder) : undefined) ?? (signalled || statusWithoutManifest(own)));
    });
  });
}

/** To the ranks themselves, so that no launcher's clock runs; to mpirun where it has not started them yet. */
function handOn(child: ChildProcess, command: readonly string[], signal: NodeJS.Signals): void {
  const ranks = descendantsOf(child.pid /* v8 ignore next -- mistake */ ?? 0).filter(
    (pid) => commandLineOf(pid) === command.join('\0'),
  );
  let reached = 0;
  for (const pid of ranks) {
    try {
      process.kill(pid, signal);
      reached += 1;
    } catch {
      // It has ended in between.
    }
  }
  if (reached === 0) child.kill('SIGTERM');
}

/* v8 ignore start -- launcher */
function endByForce(child: ChildProcess): void {
  child.kill('SIGTERM');
  setTimeout(() => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }, LEAVE_WITHIN_MS).unref();
}
/* v8 ignore stop */

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0$/, '');
  } catch {
    /* v8 ignore next -- launcher */
    return '';
  }
}

function descendantsOf(root: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]);
      childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), Number(name)]);
    } catch {
      // It has ended in between.
    }
  }
  const found: number[] = [];
  const queue = [root];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const children = childrenOf.get(next) ?? [];
    found.push(...children);
    queue.push(...children);
  }
  return found;
}

/** Tells this run's manifest from that of an earlier run whose name was taken or that is resumed; '' for none. */
function manifestIdentity(folder: string): string {
  try {
    const { ino, mtimeMs } = statSync(join(folder, 'manifest.json'));
    return `${ino} ${mtimeMs}`;
  } catch {
    return '';
  }
}

/** From manifest.json; undefined where the run did not end by itself. */
function statusOfRun(folder: string): number | undefined {
  try {
    return readNumber(parseJsonObject(readFileSync(join(folder, 'manifest.json'), 'utf8')), 'exitStatus');
  } catch {
    return undefined;
  }
}

/** Launchers lose statuses or mix them: hydra of MPICH 4.0.2 ORs those of all ranks. Without a manifest no run was good. */
function statusWithoutManifest(status: number): number {
  return status === EXIT.ok ? EXIT.fatal : status;
}
