/**
 * The only place that reads environment variables, once per process, and the only one that sets any. Everything else
 * gets values. Precedence everywhere: command line > environment > spec > default.
 */
import { RunnerError } from '../errors.js';
import { allowedEnvironment } from './recorded.js';

export type Variables = Readonly<Record<string, string | undefined>>;

/** Settings that may come from the environment; absent = not set. */
export interface Settings {
  readonly maxTransferBatchSize?: number;
  readonly maxConcurrentTransfers?: number;
  readonly ncclMaxCtas?: number;
  readonly epNumProxies?: number;
  /** A planted fault, for tests of what happens then; its form is the engine's. */
  readonly fault?: string;
  readonly peerTimeoutSeconds?: number;
  readonly threadsPerRank?: number;
  readonly ncclLibrary?: string;
  /** 1 where `launch` was started from a terminal, 0 where not: under mpirun a rank cannot see that itself. */
  readonly launchTerminal?: number;
}

export interface Environment {
  readonly settings: Settings;
  /** What was set when the process started. */
  readonly variables: Variables;
}

interface VariableEntry {
  readonly name: string;
  readonly setting: keyof Settings;
  /** Smallest and largest integer; absent = text. */
  readonly range?: readonly [number, number];
  readonly meaning: string;
}

/** For the documentation too. Names beginning with DYN_KVBM and MSCCLPP_EP are those of the systems followed here. */
export const VARIABLES: readonly VariableEntry[] = [
  {
    name: 'DYN_KVBM_MAX_TRANSFER_BATCH_SIZE',
    setting: 'maxTransferBatchSize',
    range: [1, 65536],
    meaning: 'blocks in one batch of a transfer through host memory (`maxTransferBatchSize`)',
  },
  {
    name: 'DYN_KVBM_MAX_CONCURRENT_TRANSFERS',
    setting: 'maxConcurrentTransfers',
    range: [1, 1024],
    meaning: 'batches in flight at once (`maxConcurrentTransfers`)',
  },
  {
    name: 'DYN_KVBM_NCCL_MAX_CTAS',
    setting: 'ncclMaxCtas',
    range: [1, 64],
    meaning: 'cap of thread blocks that a collective may use (`maxCtas`)',
  },
  {
    name: 'MSCCLPP_EP_NUM_PROXIES',
    setting: 'epNumProxies',
    range: [1, 32],
    meaning: 'proxy threads a rank for the network (`numProxies`)',
  },
  {
    name: 'RAILRUNNER_NCCL_LIBRARY',
    setting: 'ncclLibrary',
    meaning: 'path of the libnccl.so.2 to use; where not set, the loader is asked, then Python',
  },
  { name: 'RAILRUNNER_FAULT', setting: 'fault', meaning: 'plants a fault, for tests' },
  {
    name: 'RAILRUNNER_PEER_TIMEOUT_SECONDS',
    setting: 'peerTimeoutSeconds',
    range: [1, 86400],
    meaning:
      'silence after which a rank is held for dead; where not set, 5 within a host and 15 between hosts',
  },
  {
    name: 'RAILRUNNER_THREADS_PER_RANK',
    setting: 'threadsPerRank',
    range: [1, 64],
    meaning:
      'CPU threads with which a rank copies, fills and checks; its share of the cores, 16 at most, where not set',
  },
  {
    name: 'RAILRUNNER_TERMINAL',
    setting: 'launchTerminal',
    range: [0, 1],
    meaning: 'set by `launch`: 1 where a person watches its output',
  },
];

function settingOf(entry: VariableEntry, text: string): string | number {
  if (!entry.range) return text;
  const [min, max] = entry.range;
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && value >= min && value <= max) return value;
  throw new RunnerError(
    'E_USAGE',
    `environment variable ${entry.name} (${entry.meaning}): expected an integer from ${min} to ${max}, ` +
      `received "${text}". Set it right or unset it.`,
  );
}

/** Parses the settings; an empty value counts as not set. Throws E_USAGE for what cannot be meant. */
export function parseEnvironment(variables: Variables): Environment {
  const settings: Record<string, string | number> = {};
  for (const entry of VARIABLES) {
    const text = variables[entry.name];
    if (text !== undefined && text !== '') settings[entry.setting] = settingOf(entry, text);
  }
  return { settings: Object.freeze(settings) as Settings, variables };
}

let startVariables: Variables | undefined;

/** The environment of this process as it was at the first call. */
export function readEnvironment(): Environment {
  startVariables ??= Object.freeze({ ...process.env });
  return parseEnvironment(startVariables);
}

/** How UCX is tamed. */
const UCX_DEFAULTS = {
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
export function tameUcx(): void {
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
