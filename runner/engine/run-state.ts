/** What a run holds on one rank from the end of its start to its last row. */
import type { Logger } from 'pino';
import type { JobKind } from '../job/kind.js';
import type { ChosenDevice } from '../world/device.js';
import type { World } from '../world/world.js';
import type { RunnerError } from '../errors.js';
import type { NativeAddon } from '../native/types/index.js';
import type { RankCsv } from '../results/rank-csv.js';
import type { ManifestEnd, ManifestFile } from '../results/manifest.js';
import type { StatusCounts } from '../results/status-counts.js';
import type { RunFacts } from '../results/row.js';
import type { Point, ResolvedSpec } from '../job-spec/types.js';
import type { FaultInjection } from './fault-injection.js';
import type { RunObservers } from './observer.js';
import type { RunReport } from './report.js';
import type { ResourceCache } from '../job/resources.js';
import type { Neighbours } from '../world/neighbours.js';
import type { StopRequest } from './signals.js';
import type { UsedLibraries } from './used-libraries.js';

export interface Run {
  readonly spec: ResolvedSpec;
  /** The points that this run takes, in order. */
  readonly pending: readonly Point[];
  /** Points of an earlier part of this run that are not measured again. */
  readonly numKept: number;
  /** Exit status that their rows ask for. */
  readonly keptExit: number;
  readonly kinds: ReadonlyMap<string, JobKind>;
  readonly world: World;
  readonly device: ChosenDevice;
  readonly addon: NativeAddon;
  readonly resources: ResourceCache;
  readonly log: Logger;
  readonly faults: FaultInjection;
  /** CPU threads with which this rank copies, fills and checks, where the user says so. */
  readonly threadsPerRank: number | undefined;
  /** Where NCCL is looked for, in order. */
  readonly ncclLibraries: () => readonly string[];
  /** Those that points have used so far. */
  readonly libraries: UsedLibraries;
  readonly stop: StopRequest;
  readonly neighbours: Neighbours;
  readonly facts: RunFacts;
  /** All that is told how the run goes: the ones below, and progress and table. */
  readonly observers: RunObservers;
  readonly csv: RankCsv;
  /** Only rank 0 has these two. */
  readonly report: RunReport | undefined;
  readonly manifest: ManifestFile | undefined;
  /** The run's folder as this rank sees it. */
  readonly folder: string;
  /** Of this rank's rows. */
  readonly counts: StatusCounts;
  /** What could not be written, for the end of the run. */
  readonly failures: RunnerError[];
  /** No more rows: the files are being closed. */
  ending: boolean;
  /** Index of the first point that has no row in this rank's file yet, for an end that comes in the middle. */
  firstWithoutRow: number;
  /** The same of summary.csv, on rank 0: rows of a point reach it later. */
  firstWithoutSummary: number;
}

/** The limits that were probed, for the manifest: rank 0 has them. */
export function probesOf({ report }: Run): ManifestEnd['probes'] {
  return report?.limits.toJSON() ?? [];
}
