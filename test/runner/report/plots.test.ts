/** What plots show of more than fits, and what they leave out. */
import t from 'tap';
import type { Comparison, Judged, RankTime, Report, ReportRow } from '../../../runner/report/model.js';
import { comparisonPlot } from '../../../runner/report/plots/comparison.js';
import { distributionPlot } from '../../../runner/report/plots/distribution.js';
import type { Plot } from '../../../runner/report/plots/draw.js';
import { foundPlot } from '../../../runner/report/plots/found.js';
import { sidesPlot } from '../../../runner/report/plots/sides.js';
import { placeOf, stragglerPlot } from '../../../runner/report/plots/stragglers.js';
import { measuredCells, reportOf, textOf, UNJUDGED, writeReportRun } from '../../helpers/report-runs.js';
import { syntheticSpec } from '../../helpers/synthetic-run.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { firstOf } from '../../../runner/values/items.js';

/** As many jobs as asked for, each with 60 points: 30 series of two sizes. */
async function bigReport(folder: string, jobs: number): Promise<Report> {
  const seed = Array.from({ length: 30 }, (_, at) => at);
  const spec = syntheticSpec(folder, { job: { sweep: { seed, blocks: [1, 2] } } });
  const runs = ['one', 'two'].map((runId, at) =>
    writeReportRun(folder, {
      runId,
      spec,
      startedAt: `2026-01-0${at + 1}T00:00:00.000Z`,
      cells: (point) => measuredCells(point, 1 + 0.01 * at * point.index),
    }),
  );
  const report = await reportOf(runs);
  const [suite] = report.suites;
  if (suite === undefined) throw new Error('no suite');
  const copies = suite.runs.map((run) => ({
    ...run,
    rows: Array.from({ length: jobs }, (_, job) =>
      run.rows.map((row) => ({ ...row, jobId: job === 0 ? row.jobId : `more${job}` })),
    ).flat(),
  }));
  return { ...report, suites: [{ ...suite, runs: copies }] };
}

const rowsOf = (report: Report): readonly ReportRow[] => report.suites[0]?.runs[1]?.rows ?? [];

t.test('a page says of each plot how many of how many it shows', (t) =>
  withTempDir(async (folder) => {
    const page = await textOf(await bigReport(folder, 1), 'html', 'report.html');
    for (const caption of [
      ' The 8 fastest of 30 series; the table has all.',
      ' The 24 most spread of 60 rows; the table has all.',
      ' The 40 most uneven of 60 rows.',
      ' The 24 largest of 60 rows; the table has all.',
      ' The 8 keys that changed or moved most of 60.',
    ])
      t.match(page, caption);
  }),
);

t.test('a page draws the first 40 jobs, and says so of the others', (t) =>
  withTempDir(async (folder) => {
    const report = await bigReport(folder, 1);
    const [suite] = report.suites;
    const [run] = suite?.runs ?? [];
    const [row] = run?.rows ?? [];
    if (suite === undefined || run === undefined || row === undefined) throw new Error('no row');
    const rows = Array.from({ length: 42 }, (_, job) => ({ ...row, jobId: `job${job}` }));
    const other = { ...run, rows: [{ ...row, jobId: 'last' }], worldSize: 3 };
    const machine = { ...suite.machine, deviceName: 'Grace' };
    const suites = [
      { ...suite, runs: [{ ...run, rows }] },
      { ...suite, machine, runs: [other] },
    ];
    const page = await textOf({ ...report, suites }, 'html', 'report.html');
    t.equal(page.match(/No plots: the page has those of the first 40 jobs\./g)?.length, 3);
    t.match(page, 'Distribution of times of job39.');
    t.notMatch(page, 'Distribution of times of job40.');
    t.match(page, '(offload of small, 3 ranks on Grace)', 'of several suites each job says where it ran');
  }),
);

const judged = (count: number, more: Partial<Judged> = {}): Judged[] =>
  Array.from({ length: count }, (_, at) => ({
    ...UNJUDGED,
    key: `key ${at}`,
    word: 'equal',
    basis: 'test',
    ratio: 1.01,
    numPairs: 10,
    ...more,
  }));

const comparisonOf = (entries: readonly Judged[]): Comparison => ({
  baseline: 'main',
  candidate: 'branch',
  judged: entries,
  bounds: 'Lines: bounds.',
  summary: 'no regression: equal.',
  outcome: 'no regression',
  notes: [],
  times: new Map(entries.map(({ key }) => [key, { baseline: [1, 2], candidate: [2, 3] }])),
});

t.test('A against B: the worst keys are drawn, and a key without an estimate is not', async (t) => {
  const many = comparisonOf(judged(45));
  t.match(await comparisonPlot(many), { caption: / The first 40 keys of 45, worst first\.$/ });
  t.match(await sidesPlot(many), { caption: / The first 20 keys of 45, worst first\.$/ });
  const few = comparisonOf(judged(3));
  t.match(
    await comparisonPlot(few),
    { caption: /Lines: bounds\.$/ },
    'without bounds of its own a key is a dot',
  );
  t.match(await sidesPlot(few), { caption: /Squares: branch\.$/, words: /overlap in 3 of 3 keys/ });
  t.equal(await comparisonPlot(comparisonOf(judged(2, { ratio: undefined }))), undefined);
  t.equal(await sidesPlot({ ...few, times: new Map() }), undefined);
});

/** The tips of all marks. */
const tipsOf = (plot: Plot | undefined): string[] =>
  [...(plot?.svg ?? '').matchAll(/data-tip="([^"]*)"/g)].map(([, tip = '']) => tip);

t.test(
  'stragglers: of more ranks than columns, each column shows its slowest; a row without a time has none',
  (t) =>
    withTempDir(async (folder) => {
      const row = firstOf(rowsOf(await bigReport(folder, 1)));
      const timesOf = (us: (rank: number) => number): Map<string, RankTime[]> => {
        const { point, phase, timing, direction } = row;
        const times = Array.from({ length: 200 }, (_, rank) => ({
          point,
          phase,
          timing,
          direction,
          rank,
          p50Us: us(rank),
        }));
        return new Map([[placeOf(row), times]]);
      };
      const slow = new Map([
        [7, 300],
        [130, 250],
        [131, 200],
      ]);
      const plot = await stragglerPlot(
        [row],
        timesOf((rank) => slow.get(rank) ?? 100),
        200,
      );
      t.match(plot, {
        caption: / A column is 2 ranks and shows the slowest\.$/,
        words: /: rank 7 took 3\.00 times/,
      });
      const tips = tipsOf(plot);
      t.equal(tips.length, 100);
      t.ok(tips.some((tip) => tip.startsWith('rank 7;')) && tips.some((tip) => tip.startsWith('rank 130;')));
      t.notOk(
        tips.some((tip) => /^rank (6|131);/.test(tip)),
        'not their neighbours',
      );
      t.equal(
        await stragglerPlot(
          [row],
          timesOf(() => 0),
          200,
        ),
        undefined,
      );
    }),
);

t.test('where blocks were found: places that no row has are left out', (t) =>
  withTempDir(async (folder) => {
    const row = firstOf(rowsOf(await bigReport(folder, 1)));
    const found = (blocksFound: Partial<ReportRow['blocksFound']>): ReportRow => ({
      ...row,
      blocksFound: { device: undefined, host: undefined, disk: undefined, missed: undefined, ...blocksFound },
    });
    const rows = [found({ device: 30, missed: 10 }), { ...found({ host: 5, missed: 15 }), point: 9 }];
    const plot = await foundPlot(rows);
    t.match(plot, { words: /device 75\.0 %, host 0\.0 %, missed 25\.0 %/ });
    t.notMatch(plot, { words: /disk/ });
    t.equal(tipsOf(plot).length, 4, 'a bar for each place where a row found something');
    t.equal(await foundPlot([found({})]), undefined);
  }),
);

t.test('a distribution without enough samples for a 95th percentile goes on to the longest', (t) =>
  withTempDir(async (folder) => {
    const row = firstOf(rowsOf(await bigReport(folder, 1)));
    const plot = await distributionPlot([{ ...row, p95Us: undefined }]);
    t.match(tipsOf(plot).join('\n'), /p95 too few samples/);
    t.equal(await distributionPlot([{ ...row, minUs: 0 }]), undefined, 'a time below the clock has no place');
  }),
);
