/** Several runs of one suite as one figure for each key: the run is the unit, so figures are medians over runs. */
import { groupBy } from './group-by.js';
import { uniqueNames } from './key-names.js';
import { isBad, type Key, type Report, type ReportRow, type RowOutcome, type Suite } from './model.js';
import { firstOf, itemAt, lastOf, numberAt } from '../values/items.js';

/** Over the runs that have the figure. */
export interface OverRuns {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

export interface KeyFigures {
  readonly name: string;
  readonly key: Key;
  /** The worst of any run. */
  readonly status: RowOutcome;
  readonly numRuns: number;
  /** Of the row with that status. */
  readonly worst: ReportRow;
  readonly p50Us: OverRuns | undefined;
  readonly totalGBps: OverRuns | undefined;
  readonly pctOfPeak: OverRuns | undefined;
  readonly wrong: number;
  readonly timedSeconds: number;
}

const WORST_FIRST: readonly RowOutcome[] = [
  'aborted',
  'timeout',
  'failed',
  'wrong',
  'missing',
  'skipped',
  'ok',
  'idle',
];

export function keyOf(row: Key): string {
  return [row.series, row.jobId, row.params, row.phase, row.timing, row.direction].join('\u0000');
}

/** Every key of every suite, in the order of the spec. */
export function figuresOf(report: Report): KeyFigures[] {
  const groups = report.suites.flatMap((suite) => [...rowsByKey(suite).values()]);
  const names = uniqueNames(groups.map((rows) => firstOf(rows)));
  return groups.map((rows, at) => figures(rows, itemAt(names, at)));
}

function rowsByKey(suite: Suite): Map<string, ReportRow[]> {
  const rows = suite.runs.flatMap((run) => run.rows).toSorted((a, b) => a.point - b.point);
  return groupBy(rows, keyOf);
}

function figures(rows: readonly ReportRow[], name: string): KeyFigures {
  const worst = firstOf(
    rows.toSorted((a, b) => WORST_FIRST.indexOf(a.status) - WORST_FIRST.indexOf(b.status)),
  );
  const measured = rows.filter((row) => !isBad(row.status));
  return {
    name,
    key: worst,
    status: worst.status,
    numRuns: rows.length,
    worst,
    p50Us: overRuns(measured.map((row) => row.p50Us)),
    totalGBps: overRuns(measured.map((row) => row.totalGBps)),
    pctOfPeak: overRuns(measured.map((row) => row.pctOfPeak)),
    wrong: sum(rows.map((row) => row.wrong ?? 0)),
    timedSeconds: sum(rows.map((row) => ((row.meanUs ?? 0) * row.iterations) / 1e6)),
  };
}

function overRuns(values: readonly (number | undefined)[]): OverRuns | undefined {
  const sorted = values.filter((value) => value !== undefined).toSorted((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  return {
    median: medianOfSorted(sorted),
    min: numberAt(sorted, 0),
    max: lastOf(sorted),
    count: sorted.length,
  };
}

/** Mean of the two in the middle where the count is even. At least one value. */
export function medianOfSorted(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  const upper = numberAt(sorted, half);
  return sorted.length % 2 === 1 ? upper : (numberAt(sorted, half - 1) + upper) / 2;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
