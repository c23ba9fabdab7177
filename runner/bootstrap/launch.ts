/** Builds the mpirun line for this machine and becomes its parent. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { RunnerError } from '../errors.js';
import { printOut } from '../print.js';
import { projectRoot } from '../project.js';
import { runWords } from '../cli/run-options.js';
import type { LaunchArguments } from '../cli/launch.js';

type MpiName = 'openmpi' | 'mpich';

interface Mpirun {
  readonly mpi: MpiName;
  readonly path: string;
}

/** Resolves to the launcher's exit status; 128 + the signal's number where a signal ended it. */
export async function launch(args: LaunchArguments): Promise<number> {
  if (!Number.isInteger(args.n) || args.n < 1) {
    throw new RunnerError('E_USAGE', `-n: expected a whole number of ranks, 1 or more, received ${args.n}`);
  }
  const mpirun = findMpirun(args.mpi);
  const words = [
    ...launcherWords(mpirun, args.n),
    process.execPath,
    join(projectRoot, 'bin', 'railrunner'),
    ...runWords(args),
  ];
  printOut(`+ ${[mpirun.path, ...words].map(quoted).join(' ')}`);
  if (args.printOnly) return 0;
  return await runToEnd(mpirun.path, words);
}

function launcherWords(mpirun: Mpirun, numRanks: number): string[] {
  if (mpirun.mpi === 'mpich') return ['-n', String(numRanks)];
  const words = ['-n', String(numRanks)];
  if (process.getuid?.() === 0) words.push('--allow-run-as-root');
  // Open MPI's default binding gives each rank one core, which starves copy and progress threads.
  words.push('--bind-to', 'none');
  if (numRanks > availableParallelism()) words.push('--oversubscribe');
  return words;
}

/** mpirun of the MPI asked for, or the first found; names without a suffix are asked for their version. */
function findMpirun(wanted: MpiName | undefined): Mpirun {
  const candidates = ['mpirun.openmpi', 'mpirun', 'mpiexec', 'mpirun.mpich', 'mpiexec.mpich'];
  const looked: string[] = [];
  for (const name of candidates) {
    const path = onPath(name);
    if (!path) continue;
    looked.push(path);
    const mpi = nameOf(path);
    if (mpi && (wanted === undefined || wanted === mpi)) return { mpi, path };
  }
  const found =
    looked.length > 0
      ? `found ${looked.join(', ')}, none of them ${wanted ?? 'Open MPI or MPICH'}`
      : 'found none';
  throw new RunnerError(
    'E_MPI_MISSING',
    `no mpirun: looked for ${candidates.join(', ')} on PATH, ${found}. Install one, for example: apt-get install openmpi-bin libopenmpi-dev`,
  );
}

function onPath(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

function nameOf(path: string): MpiName | undefined {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  if (/Open MPI|OpenRTE/.test(stdout)) return 'openmpi';
  return /HYDRA|MPICH/i.test(stdout) ? 'mpich' : undefined;
}

function runToEnd(path: string, words: readonly string[]): Promise<number> {
  return new Promise((resolvePromise, reject) => {
    const env = { ...process.env, RAILRUNNER_TERMINAL: process.stdout.isTTY ? '1' : '0' };
    const child = spawn(path, words, { stdio: 'inherit', env });
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR1'] as const) process.on(signal, forward);
    child.on('error', reject);
    child.on('exit', (status, signal) =>
      resolvePromise(status ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGTERM' ? 15 : 9)),
    );
  });
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
