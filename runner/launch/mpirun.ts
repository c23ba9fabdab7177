/** Builds the mpirun line for this machine and becomes its parent. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants as fileConstants } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { RunnerError } from '../errors.js';
import { projectRoot } from '../project.js';
import { readEnvironment } from '../environment/variables.js';
import type { MpiName } from '../environment/launcher.js';

interface Mpirun {
  readonly mpi: MpiName;
  readonly path: string;
}

export interface FoundMpirun {
  readonly path: string;
  /** Undefined: neither Open MPI nor MPICH. */
  readonly mpi: MpiName | undefined;
}

export interface LaunchRequest {
  readonly numRanks: number;
  /** Absent: the one found first. */
  readonly mpi: MpiName | undefined;
  /** railrunner's own words: "run", the spec, its options. */
  readonly command: readonly string[];
}

export interface LaunchLine {
  readonly path: string;
  readonly words: readonly string[];
  /** As a shell would take it. */
  readonly text: string;
}

/** The line that starts the ranks on this machine. Throws E_USAGE and E_MPI_MISSING. */
export function planLaunch({ numRanks, mpi, command }: LaunchRequest): LaunchLine {
  if (!Number.isInteger(numRanks) || numRanks < 1) {
    throw new RunnerError('E_USAGE', `-n: expected a whole number of ranks, 1 or more, received ${numRanks}`);
  }
  const mpirun = findMpirun(mpi);
  const railrunner = join(projectRoot, 'bin', 'railrunner');
  const words = [...launcherWords(mpirun, numRanks), process.execPath, railrunner, ...command];
  return { path: mpirun.path, words, text: [mpirun.path, ...words].map(quoted).join(' ') };
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

const MPIRUN_NAMES = ['mpirun.openmpi', 'mpirun', 'mpiexec', 'mpirun.mpich', 'mpiexec.mpich'];

/** Those on PATH in the order of preference; asked for their version one by one, as the caller goes on. */
function* findMpiruns(): Generator<FoundMpirun> {
  for (const name of MPIRUN_NAMES) {
    const path = onPath(name);
    if (path) yield { path, mpi: nameOf(path) };
  }
}

export function mpirunsOnPath(): FoundMpirun[] {
  return [...findMpiruns()];
}

/** mpirun of the MPI asked for, or the first found; names without a suffix are asked for their version. */
function findMpirun(wanted: MpiName | undefined): Mpirun {
  const looked: string[] = [];
  for (const { path, mpi } of findMpiruns()) {
    looked.push(path);
    if (mpi && (wanted === undefined || wanted === mpi)) return { mpi, path };
  }
  const found =
    looked.length > 0
      ? `found ${looked.join(', ')}, none of them ${wanted ?? 'Open MPI or MPICH'}`
      : 'found none';
  throw new RunnerError(
    'E_MPI_MISSING',
    `no mpirun: looked for ${MPIRUN_NAMES.join(', ')} on PATH, ${found}. Install one, for example: apt-get install openmpi-bin libopenmpi-dev`,
  );
}

function onPath(name: string): string | undefined {
  for (const folder of (readEnvironment().variables['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, fileConstants.X_OK);
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

/** Resolves to the launcher's exit status; 128 + the signal's number where a signal ended it. */
export function runLaunch({ path, words }: LaunchLine): Promise<number> {
  return new Promise((resolve, reject) => {
    const env = { ...readEnvironment().variables, RAILRUNNER_TERMINAL: process.stdout.isTTY ? '1' : '0' };
    const child = spawn(path, words, { stdio: 'inherit', env });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR1'] as const)
      process.on(signal, () => void child.kill(signal));
    child.on('error', reject);
    child.on('exit', (status, signal) => resolve(status ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
