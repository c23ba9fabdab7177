/** What the tables of the page and of trackers say of machines, rows and verdicts that a small good run does not have. */
import t from 'tap';
import type { Comparison, Report, ReportRow } from '../../../runner/report/model.js';
import { named } from '../../../runner/report/plots/row-names.js';
import { firstOf } from '../../../runner/values/items.js';
import { reportOf, textOf, writeReportRun, UNJUDGED } from '../../helpers/report-runs.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const smallReport = (): Promise<Report> =>
  withTempDir(async (folder) => await reportOf([writeReportRun(folder)]));

const rowsOf = (report: Report): readonly ReportRow[] => firstOf(firstOf(report.suites).runs).rows;

t.test(
  'runs on GPUs are listed with their driver and NCCL, and one without MPI has an empty cell',
  async (t) => {
    const report = await smallReport();
    const suite = firstOf(report.suites);
    const run = firstOf(suite.runs);
    const gpus = { device: 'cuda', deviceName: 'H200', driverMajor: '570', nccl: '2.26.2' };
    const runs = [
      { ...run, machine: { ...run.machine, ...gpus, mpi: 'MPICH 4.2' } },
      { ...run, machine: { ...run.machine, mpi: null } },
    ];
    const page = await textOf({ ...report, suites: [{ ...suite, runs }] }, 'html', 'report.html');
    t.match(page, '<td>cuda H200, driver 570</td><td>MPICH 4.2, NCCL 2.26.2</td>');
    t.match(page, '<td>host AMD EPYC</td><td></td>');
  },
);

t.test('a row of wrong data says how many words, and the whole that something failed', async (t) => {
  const report = await smallReport();
  const suite = firstOf(report.suites);
  const run = firstOf(suite.runs);
  const rows = run.rows.map((row, at) => (at === 3 ? { ...row, status: 'wrong' as const, wrong: 17 } : row));
  const page = await textOf(
    { ...report, suites: [{ ...suite, runs: [{ ...run, rows }] }] },
    'html',
    'report.html',
  );
  t.match(page, '<span class="bad">wrong</span> 17 wrong</td>');
  t.match(page, '1 run, 8 rows: 1 wrong, 7 ok. Something failed, is missing or is damaged: see below.');
});

t.test('rows that a GPU timed are named so where others are next to them', async (t) => {
  const row = firstOf(rowsOf(await smallReport()));
  t.same(
    named([row, { ...row, timing: 'device' }]).map(({ name }) => name),
    ['blocks=1 strategy=memcpy total device->host', 'blocks=1 strategy=memcpy total device device->host'],
  );
});

const COMPARISON: Comparison = {
  baseline: 'main',
  candidate: 'branch',
  outcome: 'no verdict',
  summary: 'no verdict: 1 regressed, 1 too noisy, 1 equal',
  bounds: 'Lines: bounds.',
  notes: [],
  judged: [
    { ...UNJUDGED, key: 'slow', word: 'regressed', ratio: 1.2 },
    { ...UNJUDGED, key: 'noisy', word: 'too noisy', note: 'too few runs' },
    { ...UNJUDGED, key: 'same', word: 'equal', ratio: 1 },
  ],
  times: new Map(),
};

t.test('a key that is too noisy to judge neither fails nor passes', async (t) => {
  const report = { ...(await smallReport()), comparison: COMPARISON };
  const cases = await textOf(report, 'junit', 'junit.xml');
  const caseOf = (name: string): string =>
    cases.split('<testcase').find((text) => text.includes(` name="${name}"`)) ?? '';
  t.match(caseOf('slow'), '<failure message="regressed +20.0 %">');
  t.match(caseOf('noisy'), '<skipped message="too noisy: too few runs">');
  t.match(caseOf('same'), '<system-out>equal +0.0 %</system-out>');
  const page = await textOf(report, 'html', 'report.html');
  t.match(page, '<td><span class="bad">regressed</span></td>');
  t.match(page, '<td>too noisy</td>', 'in no colour');
});
