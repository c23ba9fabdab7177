/** Finds mpirun and builds its line for this machine. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants as fileConstants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { NODE_WORDS } from '../environment/early-signals.js';
import { RunnerError } from '../errors.js';
import { projectRoot } from '../project.js';
import { readEnvironment } from '../environment/variables.js';
import type { Launcher, MpiName } from '../environment/launcher.js';
import { withoutLaunchers } from '../environment/launcher-variables.js';
import { MPI_NAMES, MPIS } from '../environment/mpis.js';

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
  /** What each rank's process is, word by word. */
  readonly command: readonly string[];
  /** For mpirun, where the user has set nothing. */
  readonly variables: Readonly<Record<string, string>>;
  /** As a shell would take it. */
  readonly text: string;
}

/** The line that starts the ranks on this machine. Throws E_USAGE and E_MPI_MISSING. */
export function planLaunch({ numRanks, mpi, command }: LaunchRequest): LaunchLine {
  const mpirun = findMpirun(mpi);
  const railrunner = join(projectRoot, 'bin', 'railrunner');
  const entry = MPIS[mpirun.mpi];
  const own = [process.execPath, ...NODE_WORDS, railrunner, ...command];
  const words = [...entry.launchWords(numRanks, process.getuid?.() === 0), ...own];
  const text = [mpirun.path, ...words].map(quoted).join(' ');
  const variables = entry.launchVariables(numRanks, availableParallelism());
  return { path: mpirun.path, words, command: own, variables, text };
}

/** The environment for it: nothing of launchers or schedulers around, the line's own where the user has set nothing. */
export function launchEnvironment(line: LaunchLine): Record<string, string> {
  const own = withoutLaunchers(readEnvironment().variables);
  return { ...line.variables, ...own, RAILRUNNER_TERMINAL: process.stdout.isTTY ? '1' : '0' };
}

/** Each of several ranks would start ranks of its own. Throws E_LAUNCHER_MISMATCH. */
export function refuseNested(launcher: Launcher): void {
  const { contradiction, speaks, size } = launcher;
  // What contradicts a launcher that speaks an MPI is a leftover of it.
  if (size !== null && size > 1 && (contradiction === undefined || speaks === null)) throw nested(launcher);
}

function nested({ name, size }: Launcher): RunnerError {
  return new RunnerError(
    'E_LAUNCHER_MISMATCH',
    `launch starts ranks itself, and ${name} has started ${size} of it, each of which would start its own. ` +
      `Expected launch without a launcher, or run under one: use run in place of launch, or leave ${name} out.`,
  );
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
  return MPI_NAMES.find((mpi) => MPIS[mpi].version.test(stdout ?? ''));
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
