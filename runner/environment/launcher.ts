/** Who started this process, which MPI that launcher speaks, and how many ranks it started. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RunnerError } from '../errors.js';
import type { Variables } from './variables.js';

export type MpiName = 'openmpi' | 'mpich';

export interface Launcher {
  /** For messages: "mpirun of Open MPI", "srun with PMI2", ... */
  readonly name: string;
  /** The MPI that can talk to it; null = any (started alone, or by a launcher that talks to none). */
  readonly speaks: MpiName | null;
  /** Processes that it started; null where it does not say. */
  readonly size: number | null;
  /** The rank that it gave this process, known before MPI is: who speaks for all in early errors. */
  readonly rank: number;
}

function integerOf(text: string | undefined): number | null {
  return text !== undefined && /^[0-9]+$/.test(text) ? Number(text) : null;
}

/**
 * mpirun's own words come before Slurm's: under mpirun inside an allocation, Slurm's step counts mpirun's daemons.
 * A shell inside an allocation has SLURM_JOB_ID but no task of a step: started alone.
 */
export function detectLauncher(variables: Variables): Launcher {
  const slurmSize = integerOf(variables['SLURM_STEP_NUM_TASKS']);
  const slurmRank = integerOf(variables['SLURM_PROCID']);
  const inStep = slurmSize !== null && variables['SLURM_STEP_ID'] !== undefined && slurmRank !== null;
  const ompiSize = integerOf(variables['OMPI_COMM_WORLD_SIZE']);
  const pmixRank = integerOf(variables['PMIX_RANK']);
  const pmiRank = integerOf(variables['PMI_RANK']);
  if (ompiSize !== null) {
    const rank = integerOf(variables['OMPI_COMM_WORLD_RANK']) ?? pmixRank ?? 0;
    return { name: 'mpirun of Open MPI', speaks: 'openmpi', size: ompiSize, rank };
  }
  if (pmixRank !== null) {
    const name = inStep ? 'srun with PMIx' : 'a launcher with PMIx';
    return { name, speaks: 'openmpi', size: inStep ? slurmSize : null, rank: pmixRank };
  }
  if (pmiRank !== null || variables['PMI_FD'] !== undefined) {
    const size = integerOf(variables['PMI_SIZE']) ?? (inStep ? slurmSize : null);
    const name = inStep && size === slurmSize ? 'srun with PMI2' : 'mpiexec of MPICH';
    return { name, speaks: 'mpich', size, rank: pmiRank ?? slurmRank ?? 0 };
  }
  if (inStep) return { name: 'srun without an MPI plug-in', speaks: null, size: slurmSize, rank: slurmRank };
  return { name: 'no launcher', speaks: null, size: null, rank: 0 };
}

/** Place of this process among those of its machine, as the launcher numbers them; size null where it does not say. */
export function localPlace(
  variables: Variables,
  launcher: Launcher,
): { readonly rank: number; readonly size: number | null } {
  const number = (...names: string[]): number | null =>
    names.map((name) => integerOf(variables[name])).find((value) => value !== null) ?? null;
  if (launcher.size === null) return { rank: 0, size: null };
  const rank = number('OMPI_COMM_WORLD_LOCAL_RANK', 'MPI_LOCALRANKID', 'SLURM_LOCALID');
  const size = number('OMPI_COMM_WORLD_LOCAL_SIZE', 'MPI_LOCALNRANKS');
  // "4(x2)": four on each of two machines. Unequal machines ("4,2") are not told apart here.
  const even = /^(\d+)(\(x\d+\))?$/.exec(variables['SLURM_STEP_TASKS_PER_NODE'] ?? '')?.[1];
  return { rank: rank ?? launcher.rank, size: size ?? integerOf(even) };
}

export function pluginFile(folder: string, mpi: MpiName): string {
  return join(folder, `railrunner_mpi_${mpi}.so`);
}

const PACKAGES: Readonly<Record<MpiName, string>> = {
  openmpi: 'openmpi-bin libopenmpi-dev',
  mpich: 'mpich libmpich-dev',
};

/** The plug-in to open. Throws E_MPI_MISSING with what mends it. */
export function choosePlugin(launcher: Launcher, folder: string): { mpi: MpiName; path: string } {
  const wanted: readonly MpiName[] = launcher.speaks ? [launcher.speaks] : ['openmpi', 'mpich'];
  for (const mpi of wanted) {
    const path = pluginFile(folder, mpi);
    if (existsSync(path)) return { mpi, path };
  }
  const [first = 'openmpi'] = wanted;
  throw new RunnerError(
    'E_MPI_MISSING',
    `no MPI plug-in for ${launcher.name}: expected ${pluginFile(folder, first)}. ` +
      `Install that MPI and build again: apt-get install ${PACKAGES[first]} && npm run build`,
  );
}

/** N processes that each form a world of their own would all report success: refused, with what to change. */
export function checkLauncherSize(launcher: Launcher, mpi: MpiName, worldSize: number): void {
  if (launcher.size === null || launcher.size === worldSize) return;
  const remedy =
    mpi === 'openmpi'
      ? 'start it with mpirun.openmpi (or srun --mpi=pmix)'
      : 'start it with mpirun.mpich (or srun --mpi=pmi2)';
  throw new RunnerError(
    'E_LAUNCHER_MISMATCH',
    `${launcher.name} started ${launcher.size} processes, but MPI (${mpi}) sees a world of ${worldSize}: ` +
      `expected ${launcher.size}. The launcher and this MPI do not speak to each other; ${remedy}, ` +
      `or build the plug-in for that launcher's MPI.`,
  );
}
