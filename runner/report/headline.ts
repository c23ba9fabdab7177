/** One line for each job, direction and phase with a bandwidth: how many points, how they ended, the best figure and where. */
import { groupBy } from './group-by.js';
import { paramsForPeople } from './key-names.js';
import { isBad, newestRun, type Report, type ReportRow, type RowOutcome, type Suite } from './model.js';
import { firstOf } from '../values/items.js';

export interface HeadlineRow {
  readonly suite: Suite;
  readonly jobId: string;
  readonly kind: string;
  readonly phase: string;
  readonly timing: string;
  readonly direction: string;
  readonly numPoints: number;
  /** Worst first, for example `1 failed, 7 ok`. */
  readonly statuses: string;
  readonly bad: boolean;
  readonly wrong: number;
  readonly best: ReportRow | undefined;
  readonly hasTimes: boolean;
  /** Largest relative deviation of the samples of one row, in percent. */
  readonly worstDeviationPct: number | undefined;
}

const STATUS_ORDER: readonly RowOutcome[] = [
  'aborted',
  'timeout',
  'failed',
  'wrong',
  'missing',
  'skipped',
  'idle',
  'ok',
];

/** Of the newest run of each suite. */
export function headlineOf(report: Report): HeadlineRow[] {
  return report.suites.flatMap((suite) => {
    const groups = groupBy(newestRun(suite).rows, (row) =>
      JSON.stringify([row.jobId, row.phase, row.timing, row.direction]),
    );
    const summaries = [...groups.values()].map((rows) => summarize(suite, rows));
    return summaries.filter((one) => !isStep(one, summaries));
  });
}

/** A phase that went well and has times but no bandwidth, of a job that has one: a step on the way to what it measures. */
function isStep(one: HeadlineRow, all: readonly HeadlineRow[]): boolean {
  if (one.bad || one.best !== undefined || !one.hasTimes) return false;
  return all.some(({ jobId, best }) => jobId === one.jobId && best !== undefined);
}

function summarize(suite: Suite, rows: readonly ReportRow[]): HeadlineRow {
  const { jobId, kind, phase, timing, direction } = firstOf(rows);
  const good = rows.filter((row) => !isBad(row.status));
  const rates = good.flatMap((row) => (row.totalGBps === undefined ? [] : [{ row, GBps: row.totalGBps }]));
  const [fastest] = rates.toSorted((a, b) => b.GBps - a.GBps);
  const deviations = good.map(deviationPct).filter((value) => value !== undefined);
  return {
    suite,
    jobId,
    kind,
    phase,
    timing,
    direction,
    numPoints: rows.length,
    statuses: statusText(rows.map((row) => row.status)),
    bad: rows.some((row) => isBad(row.status)),
    wrong: rows.reduce((sum, row) => sum + (row.wrong ?? 0), 0),
    hasTimes: good.some((row) => row.p50Us !== undefined),
    best: fastest?.row,
    worstDeviationPct: deviations.length > 0 ? Math.max(...deviations) : undefined,
  };
}

/** `2 failed, 7 ok`, worst first. */
function statusText(statuses: readonly RowOutcome[]): string {
  return STATUS_ORDER.flatMap((status) => {
    const count = statuses.filter((other) => other === status).length;
    return count > 0 ? [`${count} ${status}`] : [];
  }).join(', ');
}

/** Standard deviation over mean of the samples. It says nothing of how runs differ. */
export function deviationPct(row: Pick<ReportRow, 'stdevUs' | 'meanUs'>): number | undefined {
  if (row.stdevUs === undefined || row.meanUs === undefined || row.meanUs === 0) return undefined;
  return (100 * row.stdevUs) / row.meanUs;
}

/** The swept values, or the point's number where nothing is swept. */
export function pointName(row: Pick<ReportRow, 'params' | 'point'>): string {
  return paramsForPeople(row.params) || `#${row.point}`;
}

/** One sentence on the whole. */
export function verdictOf(report: Report): string {
  const runs = report.suites.flatMap((suite) => suite.runs);
  const rows = runs.flatMap((run) => run.rows);
  const bad = rows.filter((row) => isBad(row.status));
  const gaps = report.complaints.length + runs.reduce((sum, run) => sum + run.complaints.length, 0);
  const what = `${runs.length} ${runs.length === 1 ? 'run' : 'runs'}, ${rows.length} rows: ${statusText(rows.map((row) => row.status))}`;
  const notes = runs.flatMap((run) => run.notes).map((note) => ` ${note}.`);
  if (bad.length === 0 && gaps === 0) return `${what}. Nothing is missing.${notes.join('')}`;
  return `${what}. Something failed, is missing or is damaged: see below.`;
}
