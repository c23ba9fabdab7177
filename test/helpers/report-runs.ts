/** Runs that reports are made of: a sweep of sizes and strategies with times that follow a simple law. */
import type { Point } from '../../runner/job-spec/types.js';
import { collect } from '../../runner/report/collect.js';
import type { FormatName } from '../../runner/report/formats/format.js';
import type { Judged, Report } from '../../runner/report/model.js';
import { render } from '../../runner/report/write-report.js';
import { syntheticSpec, writeSyntheticRun, type Cells, type SyntheticRun } from './synthetic-run.js';

/** What no format may take for markup, a second line, a label's end or a mention. */
export const HOSTILE = 'a "quoted" <b>& \\ back\nsecond line | @nobody `code` ]]> \u0007';

/** Whole cells of a summary row, and enough of a rank's. */
export function measuredCells(point: Point, slower = 1): Cells {
  const blocks = Number(point.spec['blocks']);
  const slow = point.spec['strategy'] === 'memcpy' ? 1.4 : 1;
  const p50Us = Math.round(1000 * (20 + 11 * blocks) * slow * slower) / 1000;
  const payloadBytes = blocks * 2 * 16384;
  const GBps = payloadBytes / p50Us / 1000;
  return {
    t_min_us: p50Us * 0.9,
    t_p50_us: p50Us,
    t_p95_us: p50Us * 1.3,
    t_max_us: p50Us * 2,
    t_mean_us: p50Us * 1.05,
    t_stdev_us: p50Us * 0.1,
    iterations: 30,
    payload_bytes: payloadBytes,
    bytes_self: payloadBytes,
    bytes_pcie: payloadBytes / 2,
    strategy_used: String(point.spec['strategy']),
    aggregate_GBps: GBps,
    aggregate_peak_GBps: 4,
    aggregate_pct_of_peak: 25 * GBps,
    peak_source: 'contiguous copy',
    checked: 4096,
    wrong: 0,
    slowest_rank: 1,
    slowest_share_pct: 60,
  };
}

const SWEEP = { blocks: [1, 2, 4, 8], strategy: ['memcpy', 'kernel'] };

/** Eight points of one job on two ranks; returns the run's folder. */
export function writeReportRun(folder: string, overrides: Partial<SyntheticRun> = {}): string {
  return writeSyntheticRun(folder, {
    runId: 'one',
    spec: syntheticSpec(folder, { job: { sweep: SWEEP } }),
    startedAt: '2026-01-02T03:04:05.000Z',
    cells: (point) => measuredCells(point),
    ...overrides,
  });
}

/** Point 3 failed on rank 1 with a hostile text, point 5 was skipped, point 6 has no row. */
export function writeTroubledRun(folder: string, overrides: Partial<SyntheticRun> = {}): string {
  return writeReportRun(folder, {
    runId: 'troubled',
    cells: (point) => {
      if (point.index === 3) {
        return {
          phase: '',
          timing: '',
          direction: '',
          status: 'failed',
          error_code: 'E_JOB',
          error: HOSTILE,
          error_rank: 1,
        };
      }
      if (point.index === 5)
        return { phase: '', timing: '', direction: '', status: 'skipped', error_code: 'E_UNSUPPORTED_HERE' };
      return point.index === 6 ? undefined : measuredCells(point);
    },
    manifest: { outcome: 'failed', exitStatus: 1 },
    ...overrides,
  });
}

export async function reportOf(runs: readonly string[], earlier: readonly string[] = []): Promise<Report> {
  const { suites, unreadable } = await collect({ runs, earlier, against: [], history: undefined });
  return {
    title: 'small',
    version: '0.1.0',
    suites,
    comparison: undefined,
    complaints: unreadable.map((error) => error.message),
  };
}

/** One of the files that a report is written as. */
export async function textOf(report: Report, format: FormatName, name: string): Promise<string> {
  const file = (await render(report, [format])).find((entry) => entry.name === name);
  if (file === undefined) throw new Error(`no ${name}`);
  return file.text;
}

/** A key of a comparison of which nothing is known but its name and word. */
export const UNJUDGED = {
  basis: 'none',
  ratio: undefined,
  ratioLow: undefined,
  ratioHigh: undefined,
  wouldSeePct: undefined,
  slowerShare: undefined,
  numPairs: 0,
  note: '',
} as const satisfies Omit<Judged, 'key' | 'word'>;
