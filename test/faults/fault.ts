/** A fault on purpose as data: what is done to a run, and how the run must end. */
import type { Mpi } from '../helpers/mpirun.js';
import type { Running } from '../helpers/run-cli.js';

/** How the ranks are started. `alone`: one process without a launcher. */
export type StartedBy = 'mpirun' | 'launch' | 'alone';

/** What the ranks run; the parts are named in rig.ts. */
export type Workload = 'short' | 'sweep' | 'long' | 'slow' | 'routing' | 'slowRouting';

export interface Rig {
  readonly mpi: Mpi;
  readonly running: Running;
  /** Where runs get their folders. */
  readonly out: string;
  /** The run's own folder. */
  readonly folder: string;
  readonly ranks: number;
  /** Resolves once every rank has rows of `points` points. */
  untilRows(points: number): Promise<void>;
  pidOf(rank: number): number;
  /** The process that was started: the launcher, `launch`, or the one rank. */
  signal(signal: NodeJS.Signals): void;
  /** Every process of its group, as a terminal's Ctrl-C and `timeout` do. */
  signalGroup(signal: NodeJS.Signals): void;
}

export interface Ending {
  /** Of manifest.json; `none`: the run never got a folder; `running`: only manifest.json.part is left. */
  readonly outcome: 'ok' | 'incomplete' | 'failed' | 'timeout' | 'aborted' | 'refused' | 'none' | 'running';
  /** Of the process that was started; several where the launcher itself is not sure of it. */
  readonly status: readonly (number | null)[];
  /** For the page: whom messages and rows name. */
  readonly named: string;
  /** Must be in what was printed. */
  readonly says?: RegExp;
  /** Must not be in what was printed. */
  readonly never?: RegExp;
  /** Rows of every surviving rank of points that were cut short say this of the culprit. */
  readonly culprit?: { readonly rank: number; readonly stage?: string };
  /**
   * `all`: one verdict for every point on every rank that lives, and a row for every point in summary.csv; `finished`:
   * rows of finished points stay; `none`: no folder.
   */
  readonly rows: 'all' | 'finished' | 'none';
  /** Ranks that could not write to their end. */
  readonly lostRanks?: readonly number[];
}

export interface FaultCase {
  /** Unique, in kebab case. */
  readonly id: string;
  /** For the page: what is done, as the end of "a run in which ...". */
  readonly fault: string;
  readonly startedBy: StartedBy;
  /** Each is a run of its own; absent: Open MPI and MPICH. */
  readonly mpis?: readonly Mpi[];
  /** Default 2. */
  readonly ranks?: number;
  readonly workload: Workload;
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the command: a shell that redirects, limits, ... It is followed by the command's own words. */
  readonly wrap?: readonly string[];
  /** Words around the command on one rank only, run by a shell: `$RANK` is its rank, "$@" the command. */
  readonly onRank?: string;
  readonly runArgs?: readonly string[];
  /** Default: the run is only waited for. */
  strike?(rig: Rig): Promise<void>;
  readonly ending: Ending;
  /** In every `npm test`; the others run with RAILRUNNER_ALL_FAULTS=1. */
  readonly always?: boolean;
}
