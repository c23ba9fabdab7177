/**
 * The only place that reads environment variables, once per process, and the only one that sets any. Everything else
 * gets values. Precedence everywhere: command line > environment > spec > default.
 */
import { RunnerError } from '../errors.js';
import { allowedEnvironment } from './recorded.js';

export type Variables = Readonly<Record<string, string | undefined>>;

/** Settings of the runner itself that come from the environment; undefined = not set. */
export interface Settings {
  /** An injected fault, for tests of what happens then; its form is the engine's. */
  readonly fault: string | undefined;
  readonly peerTimeoutSeconds: number | undefined;
  readonly worldTimeoutSeconds: number | undefined;
  readonly threadsPerRank: number | undefined;
  readonly stopGraceSeconds: number | undefined;
  readonly ncclLibrary: string | undefined;
  /** 1 where `launch` was started from a terminal, 0 where not: under mpirun a rank cannot see that itself. */
  readonly launchTerminal: number | undefined;
}

export interface Environment {
  readonly settings: Settings;
  /** What was set when the process started. */
  readonly variables: Variables;
}

export interface IntegerVariable {
  readonly name: string;
  /** Smallest and largest value. */
  readonly range: readonly [number, number];
  /** For docs/environment.md and errors. */
  readonly meaning: string;
}

interface TextVariable extends Omit<IntegerVariable, 'range'> {
  readonly range?: undefined;
}

/** By setting; docs/environment.md lists them. Variables that fix keys of jobs belong to the kinds. */
export const VARIABLES = {
  ncclLibrary: {
    name: 'RAILRUNNER_NCCL_LIBRARY',
    meaning: 'path of the libnccl.so.2 to use; where not set, the loader is asked, then Python',
  },
  threadsPerRank: {
    name: 'RAILRUNNER_THREADS_PER_RANK',
    range: [1, 64],
    meaning:
      'CPU threads with which a rank copies, fills and checks; where not set, its share of the cores, at most 16',
  },
  peerTimeoutSeconds: {
    name: 'RAILRUNNER_PEER_TIMEOUT_SECONDS',
    range: [1, 86400],
    meaning:
      'seconds of silence after which a rank counts as dead; where not set, 5 within a host and 15 between hosts',
  },
  worldTimeoutSeconds: {
    name: 'RAILRUNNER_WORLD_TIMEOUT_SECONDS',
    range: [1, 86400],
    meaning:
      'seconds for each step before the first point (MPI_Init is one) and after the last (MPI_Finalize is one); where not set, ' +
      '60 before and 20 after. A hundred ranks per core need more (docs/bench/startup.md)',
  },
  stopGraceSeconds: {
    name: 'RAILRUNNER_STOP_GRACE_SECONDS',
    range: [1, 3600],
    meaning:
      'seconds from the signal that stops a run to the kill that follows: how long ranks may take to stop at the same sample and write their rows; ' +
      "where not set, 1, as under Open MPI's mpirun (Slurm's KillWait is 30)",
  },
  fault: {
    name: 'RAILRUNNER_FAULT',
    meaning: 'injects a fault into one rank and stage, for tests; docs/contributing.md has its form',
  },
  launchTerminal: {
    name: 'RAILRUNNER_TERMINAL',
    range: [0, 1],
    meaning: 'set by `launch` for its ranks: 1 where a person watches the output',
  },
} as const satisfies Readonly<Record<keyof Settings, IntegerVariable | TextVariable>>;

/** Value of the variable; undefined where it is not set or empty. Throws E_USAGE for anything but an integer of its range. */
export function integerVariable(entry: IntegerVariable, variables: Variables): number | undefined {
  const text = variables[entry.name];
  if (text === undefined || text === '') return undefined;
  const [min, max] = entry.range;
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && value >= min && value <= max) return value;
  throw new RunnerError(
    'E_USAGE',
    `environment variable ${entry.name} (${entry.meaning}): expected an integer from ${min} to ${max}, ` +
      `received "${text}". Correct it or unset it.`,
  );
}

/** Parses the settings; an empty value counts as not set. Throws E_USAGE for a value outside its range. */
export function parseEnvironment(variables: Variables): Environment {
  const settings: Settings = {
    fault: variables[VARIABLES.fault.name],
    ncclLibrary: variables[VARIABLES.ncclLibrary.name],
    peerTimeoutSeconds: integerVariable(VARIABLES.peerTimeoutSeconds, variables),
    worldTimeoutSeconds: integerVariable(VARIABLES.worldTimeoutSeconds, variables),
    threadsPerRank: integerVariable(VARIABLES.threadsPerRank, variables),
    stopGraceSeconds: integerVariable(VARIABLES.stopGraceSeconds, variables),
    launchTerminal: integerVariable(VARIABLES.launchTerminal, variables),
  };
  return { settings: Object.freeze(settings), variables };
}

let startVariables: Variables | undefined;

/** The environment of this process as it was at the first call. */
export function readEnvironment(): Environment {
  startVariables ??= Object.freeze({ ...process.env });
  return parseEnvironment(startVariables);
}

/** What is set for UCX where the user has not set it. */
export const UCX_DEFAULTS = {
  UCX_MEM_EVENTS: 'no',
  UCX_HANDLE_ERRORS: 'none',
  UCX_ERROR_SIGNALS: '',
  // UCX 1.13 logs to stdout, where the table and the JSON of commands are.
  UCX_LOG_FILE: 'stderr',
};

/**
 * Must run before MPI or UCX is loaded, on the main thread. UCX's memory hooks patch mmap in the process, which
 * crashes V8 now and then; its signal handlers take SIGSEGV and others away from Node. Values that the user has set
 * stay.
 */
export function disableUcxHooks(): void {
  readEnvironment();
  for (const [name, value] of Object.entries(UCX_DEFAULTS)) process.env[name] ??= value;
}

/** "UCX_TLS=rc, UCX_NET_DEVICES=mlx5_0:1": what the user has told UCX, for errors of the network; '' for nothing. */
export function ucxVariables(variables: Variables): string {
  const named = Object.entries(allowedEnvironment(variables));
  return named
    .filter(([name]) => name.startsWith('UCX_') && !(name in UCX_DEFAULTS))
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

/** Takes variables from MPI's sight; what they were stays in readEnvironment(). */
export function unsetVariables(names: readonly string[]): void {
  readEnvironment();
  for (const name of names) delete process.env[name];
}
