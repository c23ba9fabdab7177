import t from 'tap';
import { headlineOf } from '../../../runner/report/headline.js';
import type { Report, ReportRow } from '../../../runner/report/model.js';
import { reportOf, writeReportRun } from '../../helpers/report-runs.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const POSTED = { phase: 'post', p50Us: 9, totalGBps: undefined, payloadBytes: undefined } as const;

/** The report with more rows of its first run, made of the first one. */
function withRows(report: Report, more: readonly Partial<ReportRow>[], keep = true): Report {
  const [suite] = report.suites;
  const [run] = suite?.runs ?? [];
  const [row] = run?.rows ?? [];
  if (suite === undefined || run === undefined || row === undefined) throw new Error('no row');
  const rows = [...(keep ? run.rows : []), ...more.map((change) => ({ ...row, ...change }))];
  return { ...report, suites: [{ ...suite, runs: [{ ...run, rows }] }] };
}

t.test(
  'a step on the way, which has times and no bandwidth, is not a headline; where it fails it is one',
  (t) =>
    withTempDir(async (folder) => {
      const report = await reportOf([writeReportRun(folder)]);
      const phases = (more: readonly Partial<ReportRow>[], keep = true): string[] =>
        headlineOf(withRows(report, more, keep)).map(({ phase, statuses }) => `${phase}: ${statuses}`);
      const [whole = ''] = phases([]);
      t.same(phases([POSTED]), [whole], 'next to a phase with a bandwidth');
      t.same(phases([{ ...POSTED, status: 'failed' }]), [whole, 'post: 1 failed']);
      t.same(phases([{ ...POSTED, p50Us: undefined, status: 'skipped' }]), [whole, 'post: 1 skipped']);
      t.same(phases([POSTED], false), ['post: 1 ok'], 'of a job that has no bandwidth at all');
      t.same(phases([{ ...POSTED, jobId: 'times' }]), [whole, 'post: 1 ok'], 'of another job');
    }),
);
