/** What a report says, apart from how: runs, their rows over all ranks, and everything that is missing. */
import type { ReadStatus } from '../run-folder/run-rows.js';
import type { RunTable } from '../compare/run-table.js';
import type { Basis, Outcome, Word } from '../compare/verdict.js';
import type { MachineClass } from '../run-folder/machine-class.js';
import { lastOf } from '../values/items.js';

/** What a tracker follows over time. */
export interface Key {
  readonly specName: string;
  readonly jobId: string;
  readonly kind: string;
  /** Only swept keys, canonical JSON; `{}` where nothing is swept. */
  readonly params: string;
  /** Empty where the point ended before any phase was known. */
  readonly phase: string;
  readonly timing: string;
  readonly direction: string;
  readonly series: string;
  /** Ranks of each node, for example `4+4`. */
  readonly layout: string;
}

/** Of the completion time of an iteration, in microseconds; absent where there were too few samples, or none. */
export interface Times {
  readonly minUs: number | undefined;
  readonly p50Us: number | undefined;
  readonly p95Us: number | undefined;
  readonly p99Us: number | undefined;
  readonly maxUs: number | undefined;
  readonly meanUs: number | undefined;
  readonly stdevUs: number | undefined;
}

export const TRANSPORTS = ['self', 'ipc', 'network', 'pcie', 'disk'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Where a cache found blocks, or that it did not. */
export const PLACES_FOUND = ['device', 'host', 'disk', 'missed'] as const;
export type PlaceFound = (typeof PLACES_FOUND)[number];

/** `missing`: the spec has the point, and there is no row of it. */
export type RowOutcome = ReadStatus | 'missing';

/** A row of summary.csv. */
export interface ReportRow extends Key, Times {
  readonly point: number;
  readonly status: RowOutcome;
  readonly errorCode: string;
  readonly error: string;
  readonly errorRank: string;
  readonly strategy: string;
  readonly transport: string;
  readonly iterations: number;
  /** Sum over ranks, of one iteration. */
  readonly payloadBytes: number | undefined;
  readonly bytesBy: Readonly<Record<Transport, number | undefined>>;
  /** Blocks by where they were found; undefined if the row is not of a cache. */
  readonly blocksFound: Readonly<Record<PlaceFound, number | undefined>>;
  readonly totalGBps: number | undefined;
  readonly peakGBps: number | undefined;
  readonly peakSource: string;
  readonly pctOfPeak: number | undefined;
  readonly checked: number | undefined;
  readonly wrong: number | undefined;
  readonly spreadPct: number | undefined;
  readonly slowestRank: number | undefined;
  readonly slowestSharePct: number | undefined;
}

/** Median time of one rank in one row. */
export interface RankTime {
  readonly point: number;
  readonly phase: string;
  readonly timing: string;
  readonly direction: string;
  readonly rank: number;
  readonly p50Us: number;
}

/** A run, or the shards of one joined. */
export interface ReportedRun {
  readonly runId: string;
  readonly folders: readonly string[];
  readonly outcome: string;
  readonly startedAt: Date;
  readonly specName: string;
  readonly specDigest: string;
  readonly worldSize: number;
  readonly machine: MachineClass;
  readonly railrunnerVersion: string;
  /** Of the build; empty where the manifest has none. */
  readonly commit: string;
  readonly numPoints: number;
  readonly rows: readonly ReportRow[];
  /** Of the newest run of each suite only; empty elsewhere. */
  readonly rankTimes: readonly RankTime[];
  /** What is missing or not as it should be, in sentences. */
  readonly complaints: readonly string[];
  /** What a reader should know and nobody needs to act on, in sentences. */
  readonly notes: readonly string[];
}

/** Runs of one spec in one world on one class of device, in order of time. */
export interface Suite {
  readonly specName: string;
  readonly machine: MachineClass;
  /** At least one. Repeats of what is reported. */
  readonly runs: readonly ReportedRun[];
  /** Older runs, only for the history. */
  readonly earlier: readonly ReportedRun[];
  /** Runs of which a history has the figures and nothing else. */
  readonly recorded: readonly RunTable[];
}

/** One key of a comparison, as `compare` and `ab` judge it. */
export interface Judged {
  readonly key: string;
  readonly word: Word;
  readonly basis: Basis;
  /** Candidate / baseline of the median time; undefined where there is no estimate. */
  readonly ratio: number | undefined;
  readonly ratioLow: number | undefined;
  readonly ratioHigh: number | undefined;
  /** The smallest change that would have been seen, in percent. */
  readonly wouldSeePct: number | undefined;
  /** P(B > A). */
  readonly slowerShare: number | undefined;
  /** Pairs, or runs of the smaller side. */
  readonly numPairs: number;
  readonly note: string;
}

/** Median times of one key in us, a value for each run in order of time. */
export interface SideTimes {
  readonly baseline: readonly number[];
  readonly candidate: readonly number[];
}

export interface Comparison {
  readonly baseline: string;
  readonly candidate: string;
  /** Worst word first, then by size of the change. */
  readonly judged: readonly Judged[];
  /** What the bounds of a ratio are, in a sentence. */
  readonly bounds: string;
  readonly summary: string;
  readonly outcome: Outcome;
  readonly notes: readonly string[];
  /** By key; empty if the runs themselves are not available. */
  readonly times: ReadonlyMap<string, SideTimes>;
}

export interface Report {
  readonly title: string;
  readonly version: string;
  /** At least one. */
  readonly suites: readonly Suite[];
  readonly comparison: Comparison | undefined;
  /** Of the report as a whole: folders that could not be read. */
  readonly complaints: readonly string[];
}

const GOOD: ReadonlySet<RowOutcome> = new Set(['ok', 'idle', 'skipped']);

export function isBad(status: RowOutcome): boolean {
  return !GOOD.has(status);
}

export function newestRun(suite: Suite): ReportedRun {
  return lastOf(suite.runs);
}

/** True where everything that was asked for was measured and right. */
export function isWhole(report: Report): boolean {
  const runs = report.suites.flatMap((suite) => suite.runs);
  return (
    report.complaints.length === 0 &&
    runs.every(
      (run) =>
        run.outcome === 'ok' && run.complaints.length === 0 && !run.rows.some((row) => isBad(row.status)),
    )
  );
}
