/** The catalogue of everything that can go wrong: code, the exit status it leads to, and what it means. */

/** Exit statuses, the same on all ranks. Precedence where several apply: 130/143 > 124 > 4 > 1. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  environment: 3,
  fatal: 4,
  regression: 5,
  noVerdict: 6,
  timeout: 124,
  interrupted: 130,
  terminated: 143,
} as const;

export interface ErrorEntry {
  readonly exit: number;
  /** What it means, for docs/errors.md. */
  readonly meaning: string;
}

/** Codes are append-only: trackers group by them. Native code raises a subset under the same names (native/core/error.h). */
export const ERROR_CATALOGUE = {
  E_USAGE: { exit: EXIT.usage, meaning: 'the command line is invalid' },
  E_SPEC_READ: { exit: EXIT.usage, meaning: 'the spec cannot be read: missing, a directory, or too large' },
  E_SPEC_SYNTAX: { exit: EXIT.usage, meaning: 'the spec is not JSON' },
  E_SPEC_INVALID: {
    exit: EXIT.usage,
    meaning: 'the spec is valid JSON but not a valid spec; every issue is listed',
  },
  E_MODEL: {
    exit: EXIT.usage,
    meaning:
      'a model cannot be read or is not supported: its config.json is missing, damaged, or of an unknown shape',
  },
  E_TRACE: {
    exit: EXIT.usage,
    meaning: 'a request trace cannot be read: missing, damaged, of an unknown format, or with invalid lines',
  },
  E_INTERNAL: {
    exit: EXIT.failed,
    meaning: 'railrunner itself failed: please report it with the command and the spec',
  },
  E_ADDON_MISSING: { exit: EXIT.environment, meaning: 'the native addon is not built, or does not load' },
  E_MPI_MISSING: {
    exit: EXIT.environment,
    meaning: 'no MPI plug-in for this launcher, or its library does not load',
  },
  E_LAUNCHER_MISMATCH: {
    exit: EXIT.environment,
    meaning: 'the ranks were started by the launcher of another MPI',
  },
  E_VERSION_MISMATCH: {
    exit: EXIT.environment,
    meaning: 'ranks run different builds: versions, JavaScript, addon or MPI plug-in',
  },
  E_DEVICE_MISSING: { exit: EXIT.environment, meaning: 'the requested device is not available' },
  E_DEVICE_MIXED: { exit: EXIT.environment, meaning: 'some ranks have a GPU and others do not' },
  E_DEVICE_SHARED: { exit: EXIT.environment, meaning: 'two ranks share one GPU' },
  E_MEMORY_FIT: {
    exit: EXIT.environment,
    meaning: 'the spec needs more memory or disk than this machine has',
  },
  E_OUTPUT: { exit: EXIT.environment, meaning: 'the output folder cannot be written' },
  E_RUN_EXISTS: { exit: EXIT.environment, meaning: 'the run id is already in use; nothing is overwritten' },
  E_RUN_READ: {
    exit: EXIT.usage,
    meaning: 'a run folder cannot be read: missing, damaged, of an unsupported schema version, or not a run',
  },
  E_MACHINE_CLASS: {
    exit: EXIT.usage,
    meaning:
      'times from different machine classes are not comparable; the message lists every field that differs',
  },
  E_RESUME: {
    exit: EXIT.usage,
    meaning:
      'the run cannot be resumed: its spec, world size, shard or version differs, or it is still running',
  },
  E_ARGUMENT: { exit: EXIT.failed, meaning: 'invalid argument to a native call' },
  E_STATE: { exit: EXIT.failed, meaning: 'a native handle was used after close, or calls came out of order' },
  E_ALLOCATION: { exit: EXIT.failed, meaning: 'allocation failed in some tier' },
  E_IO: { exit: EXIT.failed, meaning: 'a disk operation failed; the message has errno and path' },
  E_BLOCK_IDS: { exit: EXIT.failed, meaning: 'block ids or a layer range are outside the pools' },
  E_WRONG_DATA: { exit: EXIT.failed, meaning: 'verification found words that differ from what was expected' },
  E_JOB: { exit: EXIT.failed, meaning: 'a stage of a point failed with an error' },
  E_PEER_FAILED: { exit: EXIT.failed, meaning: 'another rank failed the stage; the row names it' },
  E_NETWORK: { exit: EXIT.failed, meaning: 'UCX failed, or a connection between two ranks was lost' },
  E_TRANSPORT: {
    exit: EXIT.failed,
    meaning: 'UCX chose another transport than the spec demands; the point ends before anything is measured',
  },
  E_CUDA: { exit: EXIT.failed, meaning: 'a CUDA call failed; the context is still usable' },
  E_NCCL: { exit: EXIT.failed, meaning: 'an NCCL call failed; its communicator was aborted' },
  E_UNSUPPORTED_HERE: {
    exit: EXIT.ok,
    meaning: 'valid, but not possible on this machine, device or MPI: the point is skipped',
  },
  E_NETWORK_MISSING: {
    exit: EXIT.ok,
    meaning: 'UCX cannot be loaded: points that need a network are skipped',
  },
  E_NCCL_MISSING: { exit: EXIT.ok, meaning: 'NCCL cannot be loaded: points that need it are skipped' },
  E_TIMEOUT: { exit: EXIT.timeout, meaning: 'a stage passed its deadline; the row names rank and stage' },
  E_ABORTED: { exit: EXIT.failed, meaning: 'a wait was cut short because another failure was already known' },
  E_CUDA_STICKY: { exit: EXIT.fatal, meaning: 'the CUDA context is lost; later points are aborted' },
  E_WORLD_LOST: {
    exit: EXIT.fatal,
    meaning: 'the ranks can no longer communicate; later points are aborted',
  },
  E_PEER_DEAD: { exit: EXIT.fatal, meaning: 'a rank ended or stopped answering; later points are aborted' },
  E_STUCK: { exit: EXIT.fatal, meaning: 'a thread is stuck in native code and was abandoned' },
  E_INTERRUPTED: { exit: EXIT.terminated, meaning: 'a signal ended the run; later points are aborted' },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** An error whose message is a sentence for the user: where, expected, received, what to do. */
export class RunnerError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'RunnerError';
    this.code = code;
  }

  get exitStatus(): number {
    return ERROR_CATALOGUE[this.code].exit;
  }
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CATALOGUE, value);
}

/** What was thrown, in its own words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `code` of what was thrown: the operating system's (ENOENT), Node's or the catalogue's. Undefined where it has none. */
export function codeOf(error: unknown): string | undefined {
  const isCoded = typeof error === 'object' && error !== null && 'code' in error;
  return isCoded && typeof error.code === 'string' ? error.code : undefined;
}

/** What comes from another rank, thread or library may name any code: one that the catalogue lacks becomes `fallback`. */
export function knownCode(code: unknown, fallback: ErrorCode): ErrorCode {
  return isErrorCode(code) ? code : fallback;
}

/**
 * Gives any thrown value a code. Native errors arrive as Error with a `code` property of the catalogue; what has
 * none becomes `fallback`, with the original kept as cause.
 */
export function toRunnerError(error: unknown, fallback: ErrorCode = 'E_JOB'): RunnerError {
  if (error instanceof RunnerError) return error;
  return new RunnerError(knownCode(codeOf(error), fallback), messageOf(error), { cause: error });
}

/** Whether it only says that this machine cannot do the point. */
export function isSkip({ exitStatus }: RunnerError): boolean {
  return exitStatus === EXIT.ok;
}

/** The exit status of a whole run, by precedence 130/143 > 124 > 4 > 3 > 2 > 1 > 0. */
export function worstExit(statuses: Iterable<number>): number {
  const order: readonly number[] = [
    EXIT.ok,
    EXIT.noVerdict,
    EXIT.regression,
    EXIT.failed,
    EXIT.usage,
    EXIT.environment,
    EXIT.fatal,
    EXIT.timeout,
  ];
  let worst: number = EXIT.ok;
  for (const status of statuses) {
    const rank = (value: number): number => (value >= 128 ? order.length : order.indexOf(value));
    if (rank(status) > rank(worst)) worst = status;
  }
  return worst;
}
