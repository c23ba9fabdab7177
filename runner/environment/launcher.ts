/** Who started this process, which MPI that launcher speaks, and how many ranks it started. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RunnerError } from '../errors.js';
import { claimsOf, type Claim, type ProcessFacts } from './launcher-claims.js';
import { MPI_NAMES, MPIS, type MpiName } from './mpis.js';
import type { Variables } from './variables.js';

export type { MpiName } from './mpis.js';

export interface Launcher {
  /** For messages: "mpirun of Open MPI", "srun with PMI2", ... */
  readonly name: string;
  /** The MPI that can talk to it; null = any (started without a launcher, or by a launcher that talks to none). */
  readonly speaks: MpiName | null;
  /** Processes that it started; null where it does not say. */
  readonly size: number | null;
  /** The rank that it gave this process, known before MPI is. */
  readonly rank: number;
  /** Why no world can come of it, by the names of the variables that contradict each other; absent where one can. */
  readonly contradiction?: string;
}

const ALONE: Launcher = { name: 'no launcher', speaks: null, size: null, rank: 0 };

/** Which claims a launcher that is among the ancestors can have made. */
const MADE_BY: Readonly<Record<NonNullable<ProcessFacts['ancestor']>['kind'], readonly Claim['kind'][]>> = {
  openmpi: ['openmpi'],
  mpich: ['mpich'],
  slurm: ['pmix', 'mpich', 'slurm'],
  flux: ['pmix', 'mpich', 'flux'],
};

/**
 * The nearest launcher. Where one is among the ancestors of this process, its variables count and those of others are
 * leftovers. Where none is in sight (a container with a process namespace of its own), those count that nothing
 * speaks against: an open connection to MPICH's launcher first, because no other launcher hands it on; then mpirun's,
 * because in an allocation Slurm's step counts mpirun's daemons. Without `facts` variables are taken at their word.
 */
export function detectLauncher(variables: Variables, facts?: ProcessFacts): Launcher {
  const claims = claimsOf(variables, facts);
  const ancestor = facts?.ancestor;
  if (ancestor) {
    const own = claims.filter((claim) => MADE_BY[ancestor.kind].includes(claim.kind));
    const sound = own.find((claim) => claim.fault === null);
    if (sound) return launcherOf(sound);
    // The shell of a batch job is a child of slurmstepd and no task of a step.
    const isShell = ancestor.kind === 'slurm' || ancestor.kind === 'flux';
    if (own.length > 0 || !isShell) return contradicted(ancestor.name, own[0]);
  }
  const order = facts
    ? (['mpich', 'openmpi', 'pmix', 'flux', 'slurm'] as const)
    : (['openmpi', 'pmix', 'mpich', 'slurm', 'flux'] as const);
  for (const kind of order) {
    const sound = claims.find((claim) => claim.kind === kind && claim.fault === null);
    if (sound) return launcherOf(sound);
  }
  // What says "one process, rank 0" does not contradict a single process.
  const stale = claims.find(({ size, rank }) => size !== 1 || rank !== 0);
  return stale ? { ...launcherOf(stale), contradiction: leftover(stale) } : ALONE;
}

function launcherOf(claim: Claim): Launcher {
  const { name, speaks, size, rank } = claim;
  const isMute = speaks === null && size !== null && size > 1;
  return { name, speaks, size, rank, ...(isMute ? { contradiction: mute(claim) } : {}) };
}

function remedies(): string {
  return MPI_NAMES.map((mpi) => `${MPIS[mpi].mpirun} or ${MPIS[mpi].srun} for ${MPIS[mpi].title}`).join(', ');
}

function mute({ name, size, said }: Claim): string {
  return (
    `${name} started ${size} processes (${said.join(', ')}) and none of PMIX_RANK, PMI_RANK and OMPI_COMM_WORLD_RANK ` +
    `is its own: no MPI can talk to it, and each process would run alone as rank 0 of 1. Start them with ${remedies()}.`
  );
}

function leftover({ name, said, fault }: Claim): string {
  const names = said.map((one) => one.split('=')[0]).join(' ');
  return (
    `${said.join(', ')} say that ${name} started this process, but ${fault}: they were left behind by another job or ` +
    `shell. Unset them (unset ${names}), or start with ${remedies()}.`
  );
}

function contradicted(ancestor: string, claim: Claim | undefined): Launcher {
  if (claim) {
    const why = `${ancestor} started this process, but ${claim.said.join(', ')} cannot be its own: ${claim.fault}.`;
    return { ...launcherOf(claim), contradiction: `${why} Unset them before ${ancestor} is called.` };
  }
  return {
    ...ALONE,
    name: ancestor,
    contradiction:
      `${ancestor} started this process, but none of its variables (OMPI_COMM_WORLD_SIZE for Open MPI, PMI_RANK for ` +
      `MPICH) is set: something between them cleared the environment, and each process would run alone as rank 0 of 1. ` +
      `Hand the environment on, or start railrunner from ${ancestor} directly.`,
  };
}

/** Before MPI is opened, which would abort or build a wrong world. Throws E_LAUNCHER_MISMATCH. */
export function refuseContradiction({ contradiction }: Launcher): void {
  if (contradiction !== undefined) throw new RunnerError('E_LAUNCHER_MISMATCH', contradiction);
}

/** Place of this process among those of its machine, as the launcher numbers them; size null where it does not say. */
export function localPlace(
  variables: Variables,
  launcher: Launcher,
): { readonly rank: number; readonly size: number | null } {
  const number = (...names: string[]): number | null =>
    names
      .map((name) => variables[name])
      .filter((text) => text !== undefined && /^[0-9]+$/.test(text))
      .map(Number)[0] ?? null;
  if (launcher.size === null) return { rank: 0, size: null };
  const slurm = launcher.name.startsWith('srun');
  const rank =
    launcher.speaks === 'openmpi' && !slurm
      ? number('OMPI_COMM_WORLD_LOCAL_RANK')
      : slurm
        ? number('SLURM_LOCALID')
        : number('MPI_LOCALRANKID', 'SLURM_LOCALID');
  const size = slurm
    ? null
    : number(launcher.speaks === 'openmpi' ? 'OMPI_COMM_WORLD_LOCAL_SIZE' : 'MPI_LOCALNRANKS');
  // "4(x2)": four on each of two machines. Unequal machines ("4,2") are not distinguished here.
  const even = slurm
    ? /^(\d+)(\(x\d+\))?$/.exec(variables['SLURM_STEP_TASKS_PER_NODE'] ?? '')?.[1]
    : undefined;
  return { rank: rank ?? launcher.rank, size: size ?? (even === undefined ? null : Number(even)) };
}

export function pluginFile(folder: string, mpi: MpiName): string {
  return join(folder, `railrunner_mpi_${mpi}.so`);
}

/** The plug-in to open. Throws E_MPI_MISSING with how to fix it. */
export function choosePlugin(launcher: Launcher, folder: string): { mpi: MpiName; path: string } {
  const wanted: readonly MpiName[] = launcher.speaks ? [launcher.speaks] : MPI_NAMES;
  for (const mpi of wanted) {
    const path = pluginFile(folder, mpi);
    if (existsSync(path)) return { mpi, path };
  }
  const [first = 'openmpi'] = wanted;
  throw new RunnerError(
    'E_MPI_MISSING',
    `no MPI plug-in for ${launcher.name}: expected ${pluginFile(folder, first)}. ` +
      `Install that MPI and build again: apt-get install ${MPIS[first].packages} && npm run build`,
  );
}

/**
 * N processes that each form a world of their own would all report success: refused, with what to change. A launcher
 * that did not say its size is checked by the rank that it gave.
 */
export function checkLauncherSize(launcher: Launcher, mpi: MpiName, worldSize: number): void {
  const { name, size, rank } = launcher;
  if (size === null ? rank < worldSize : size === worldSize) return;
  const started = size === null ? `gave this process rank ${rank}` : `started ${size} processes`;
  const expected = size === null ? `more than ${rank}` : String(size);
  throw new RunnerError(
    'E_LAUNCHER_MISMATCH',
    `${name} ${started}, but MPI (${mpi}) sees a world of ${worldSize}: expected ${expected}. ` +
      `The launcher and this MPI do not speak to each other; start it with ${MPIS[mpi].mpirun} (or ${MPIS[mpi].srun}), ` +
      `or build the plug-in for that launcher's MPI.`,
  );
}
