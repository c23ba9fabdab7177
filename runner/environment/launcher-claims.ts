/** What the variables of each launcher say about this process, and what contradicts them. */
import type { MpiName } from './mpis.js';
import type { Variables } from './variables.js';

export type LauncherKind = 'openmpi' | 'pmix' | 'mpich' | 'slurm' | 'flux';

/** What the process can see of itself besides its variables; absent parts are taken to agree with them. */
export interface ProcessFacts {
  /** The kind of the nearest launcher among the ancestors, with its process's name; null: there is none in sight. */
  readonly ancestor: { readonly kind: 'openmpi' | 'mpich' | 'slurm' | 'flux'; readonly name: string } | null;
  /** Every ancestor up to the machine's first process is in sight, so that one that is not there is not there. */
  readonly seesAll: boolean;
  isSocket(descriptor: number): boolean;
  isFolder(path: string): boolean;
}

export interface Claim {
  readonly kind: LauncherKind;
  /** For messages: "mpirun of Open MPI", "srun with PMI2", ... */
  readonly name: string;
  /** The MPI that can talk to it; null = none. */
  readonly speaks: MpiName | null;
  /** Processes that it started; null where it does not say. */
  readonly size: number | null;
  readonly rank: number;
  /** "NAME=value" of what says so. */
  readonly said: readonly string[];
  /** Why it cannot be so; null if nothing contradicts it. */
  readonly fault: string | null;
}

function integerOf(text: string | undefined): number | null {
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
}

function saidBy(variables: Variables, names: readonly string[]): string[] {
  return names.flatMap((name) => (variables[name] === undefined ? [] : [`${name}=${variables[name]}`]));
}

/** The task of a Slurm step that this process is. A shell inside an allocation has SLURM_JOB_ID and no step. */
interface Step {
  readonly size: number;
  readonly rank: number;
  /** "JOB.STEP". */
  readonly id: string;
}

function stepOf(variables: Variables): Step | null {
  const size = integerOf(variables['SLURM_STEP_NUM_TASKS']);
  const rank = integerOf(variables['SLURM_PROCID']);
  const step = variables['SLURM_STEP_ID'];
  if (size === null || rank === null || step === undefined) return null;
  return { size, rank, id: `${variables['SLURM_JOB_ID'] ?? ''}.${step}` };
}

/** The namespace of Slurm's PMIx plug-in is slurm.pmix.JOB.STEP; mpirun's is a number of its own. */
const SLURM_NAMESPACE = /^slurm\.pmix\.(\d+\.\d+)$/;

function pmixFault(variables: Variables, facts: ProcessFacts | undefined): string | null {
  if (variables['PMIX_NAMESPACE'] === undefined) return 'PMIX_NAMESPACE is not set';
  if (!Object.keys(variables).some((name) => name.startsWith('PMIX_SERVER_URI')))
    return 'PMIX_SERVER_URI is not set';
  const folder = variables['PMIX_SERVER_TMPDIR'];
  if (folder !== undefined && facts && !facts.isFolder(folder))
    return `its folder PMIX_SERVER_TMPDIR=${folder} is gone`;
  return null;
}

function openMpiClaim(variables: Variables, facts: ProcessFacts | undefined): Claim | null {
  const size = integerOf(variables['OMPI_COMM_WORLD_SIZE']);
  if (size === null) return null;
  const pmixRank = variables['PMIX_RANK'];
  const ownRank = variables['OMPI_COMM_WORLD_RANK'];
  const namespace = variables['PMIX_NAMESPACE'] ?? '';
  let fault = facts ? pmixFault(variables, facts) : null;
  if (SLURM_NAMESPACE.test(namespace)) fault = `PMIX_NAMESPACE=${namespace} is of a Slurm step`;
  if (pmixRank !== undefined && ownRank !== undefined && pmixRank !== ownRank)
    fault = `PMIX_RANK=${pmixRank} differs from OMPI_COMM_WORLD_RANK`;
  return {
    kind: 'openmpi',
    name: 'mpirun of Open MPI',
    speaks: 'openmpi',
    size,
    rank: integerOf(ownRank) ?? integerOf(pmixRank) ?? 0,
    said: saidBy(variables, ['OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_RANK']),
    fault,
  };
}

function pmixClaim(variables: Variables, step: Step | null, facts: ProcessFacts | undefined): Claim | null {
  const rank = integerOf(variables['PMIX_RANK']);
  if (rank === null) return null;
  const ofStep = SLURM_NAMESPACE.exec(variables['PMIX_NAMESPACE'] ?? '')?.[1];
  // Without a namespace to go by (older facts), a task of a step is the step's.
  const isStep = step !== null && (ofStep === undefined ? facts === undefined : ofStep === step.id);
  const stale = ofStep !== undefined && step !== null && !isStep;
  return {
    kind: 'pmix',
    name: isStep ? 'srun with PMIx' : 'a launcher with PMIx',
    speaks: 'openmpi',
    size: isStep ? step.size : null,
    rank,
    said: saidBy(variables, ['PMIX_RANK', 'PMIX_NAMESPACE']),
    fault: stale
      ? `PMIX_NAMESPACE is of step ${ofStep}, SLURM_STEP_ID says ${step.id}`
      : facts
        ? pmixFault(variables, facts)
        : null,
  };
}

function mpichClaim(variables: Variables, step: Step | null, facts: ProcessFacts | undefined): Claim | null {
  const rank = integerOf(variables['PMI_RANK']);
  const descriptor = integerOf(variables['PMI_FD']);
  const port = variables['PMI_PORT'] ?? variables['PMI_CONTROL_PORT'];
  if (rank === null && descriptor === null && port === undefined) return null;
  const size = integerOf(variables['PMI_SIZE']) ?? step?.size ?? null;
  const isStep = step !== null && size === step.size && variables['HYDI_CONTROL_FD'] === undefined;
  let fault: string | null = null;
  if (facts && port === undefined) {
    if (descriptor === null) fault = 'PMI_FD is not set';
    else if (!facts.isSocket(descriptor)) fault = `its connection PMI_FD=${descriptor} is not open`;
  }
  if (isStep && rank !== null && rank !== step.rank)
    fault = `SLURM_PROCID=${step.rank} differs from PMI_RANK`;
  return {
    kind: 'mpich',
    name: isStep ? 'srun with PMI2' : 'mpiexec of MPICH',
    speaks: 'mpich',
    size,
    rank: rank ?? step?.rank ?? 0,
    said: saidBy(variables, ['PMI_RANK', 'PMI_SIZE', 'PMI_FD']),
    fault,
  };
}

function slurmClaim(variables: Variables, step: Step | null, facts: ProcessFacts | undefined): Claim | null {
  if (!step) return null;
  const isGone = facts !== undefined && facts.seesAll && facts.ancestor?.kind !== 'slurm';
  return {
    kind: 'slurm',
    name: 'srun without an MPI plug-in',
    speaks: null,
    size: step.size,
    rank: step.rank,
    said: saidBy(variables, ['SLURM_STEP_ID', 'SLURM_STEP_NUM_TASKS', 'SLURM_PROCID']),
    fault: isGone ? 'no slurmstepd is among the ancestors of this process' : null,
  };
}

function fluxClaim(variables: Variables): Claim | null {
  const size = integerOf(variables['FLUX_JOB_SIZE']);
  const rank = integerOf(variables['FLUX_TASK_RANK']);
  if (size === null || rank === null) return null;
  return {
    kind: 'flux',
    name: 'flux run without an MPI plug-in',
    speaks: null,
    size,
    rank,
    said: saidBy(variables, ['FLUX_JOB_ID', 'FLUX_JOB_SIZE', 'FLUX_TASK_RANK']),
    fault: null,
  };
}

/** Those that say anything; several where launchers are nested, or a shell has inherited another's variables. */
export function claimsOf(variables: Variables, facts?: ProcessFacts): Claim[] {
  const step = stepOf(variables);
  return [
    openMpiClaim(variables, facts),
    pmixClaim(variables, step, facts),
    mpichClaim(variables, step, facts),
    slurmClaim(variables, step, facts),
    fluxClaim(variables),
  ].flatMap((claim) => {
    if (claim === null) return [];
    const outside = claim.size !== null && claim.rank >= claim.size;
    return [outside && claim.fault === null ? { ...claim, fault: 'the rank is not below the size' } : claim];
  });
}
