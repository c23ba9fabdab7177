/** What a report takes from run folders, and what it makes of folders that do not have all of it. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { compareSides } from '../../../runner/report/comparison.js';
import { coursesOf } from '../../../runner/report/courses.js';
import type { Report, ReportedRun, Suite } from '../../../runner/report/model.js';
import { writeFiles } from '../../../runner/report/write-files.js';
import { writeReport } from '../../../runner/report/write-report.js';
import { firstOf } from '../../../runner/values/items.js';
import { measuredCells, reportOf, textOf, writeReportRun } from '../../helpers/report-runs.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const THRESHOLDS = { thresholdPct: 3, resolutionPct: 3, keyThresholds: [] } as const;

const suiteOf = (report: Report): Suite => firstOf(report.suites);
const runOf = (report: Report): ReportedRun => firstOf(suiteOf(report).runs);

t.test('a run that failed says why, and of which railrunner it is', (t) =>
  withTempDir(async (folder) => {
    const error = { code: 'E_WORLD_LOST', message: 'rank 1 ended' };
    const versions = { railrunner: '1.2.3', commit: 'abc' };
    const run = writeReportRun(folder, { manifest: { outcome: 'aborted', error, versions } });
    t.match(runOf(await reportOf([run])), {
      complaints: ['one: its outcome is aborted: E_WORLD_LOST rank 1 ended'],
      railrunnerVersion: '1.2.3',
      commit: 'abc',
    });
  }),
);

t.test("a damaged file of a rank costs that rank's times alone", (t) =>
  withTempDir(async (folder) => {
    const run = writeReportRun(folder);
    const path = join(run, 'rank-0000.csv');
    writeFileSync(path, readFileSync(path, 'utf8').replace(',31,', ',much,'));
    const { complaints, rows, rankTimes } = runOf(await reportOf([run]));
    t.equal(complaints.length, 1);
    t.match(
      complaints[0],
      /^one: rank 0: .*rank-0000\.csv: line \d, column t_p50_us: expected a number, received "much"/,
    );
    t.equal(rows.length, 8);
    t.equal(rankTimes.filter(({ rank }) => rank === 1).length, 8);
  }),
);

t.test('a row without iterations took no time', (t) =>
  withTempDir(async (folder) => {
    const cells = { phase: '', timing: '', direction: '', status: 'skipped', iterations: '' };
    const report = await reportOf([writeReportRun(folder, { cells: () => cells })]);
    t.ok(runOf(report).rows.every(({ iterations }) => iterations === 0));
    t.match(await textOf(report, 'junit', 'junit.xml'), / time="0\.000000"/);
  }),
);

t.test('a recorded run adds to the history only the keys that it measured', (t) =>
  withTempDir(async (folder) => {
    const suite = suiteOf(await reportOf([writeReportRun(folder)]));
    const { kind, jobId, params, layout, phase, timing, direction, series } = firstOf(
      firstOf(suite.runs).rows,
    );
    const key = [kind, jobId, params, layout, phase, timing, direction].join('\u0000');
    const recorded = [3, undefined].map((log, at) => ({
      name: `recorded${at}`,
      startedAt: new Date(at),
      machine: suite.machine,
      cells: new Map([[key, { status: 'ok' as const, log, series, point: 0, job: {} }]]),
      problems: [],
    }));
    const courses = coursesOf({ ...suite, recorded });
    t.same(
      courses.map(({ steps }) => steps.map(({ run }) => run)),
      [['recorded0', 'one']],
    );
  }),
);

t.test('a baseline that cannot be read is named, and the runs are reported without it', (t) =>
  withTempDir(async (folder) => {
    const run = writeReportRun(folder);
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const written = await writeReport({
      runs: [run],
      comparison: { against: [empty], thresholds: THRESHOLDS },
      earlier: [],
      history: undefined,
      outFolder: join(folder, 'out'),
      formats: ['bencher'],
      title: undefined,
      version: '1',
    });
    t.equal(written.exitStatus, 2);
    t.match(written.complaints, [
      /empty: expected a run folder/,
      /^not compared: no run of the baseline can/,
    ]);
    t.same(readdirSync(join(folder, 'out')), ['bencher.json']);
  }),
);

t.test('a folder of `ab` in which no run of B ended says how to go on', (t) =>
  withTempDir(async (folder) => {
    writeFileSync(join(folder, 'ab.json'), '{}');
    const ended = writeReport({
      runs: [folder],
      comparison: undefined,
      earlier: [],
      history: undefined,
      outFolder: join(folder, 'out'),
      formats: [],
      title: undefined,
      version: '1',
    });
    const message = `${folder}: no run of B ended here; go on with \`railrunner ab --resume\``;
    await t.rejects(ended, { code: 'E_USAGE', message });
  }),
);

t.test('of runs too few for a test, the lines of a plot are the noise of the baseline', (t) =>
  withTempDir(async (folder) => {
    const runs = [1, 2, 3, 4].map((at) =>
      writeReportRun(folder, { runId: `r${at}`, cells: (point) => measuredCells(point, 1 + at / 100) }),
    );
    const source = { against: runs.slice(0, 3), thresholds: THRESHOLDS };
    const { comparison } = await compareSides(source, runs.slice(3), source.against);
    t.equal(comparison?.judged.filter(({ basis }) => basis === 'effect size').length, 8);
    t.equal(comparison?.bounds, 'Lines: three times the noise of the baseline.');
  }),
);

t.test('a file that cannot take its place is an error, and no half of one is left', (t) =>
  withTempDir(async (folder) => {
    mkdirSync(join(folder, 'b.txt'));
    const files = ['a.txt', 'b.txt', 'c.txt'].map((name) => ({ name, text: name }));
    await t.rejects(writeFiles(folder, files), {
      code: 'E_OUTPUT',
      message: /the report cannot be written to .*EISDIR/,
    });
    t.same(readdirSync(folder).toSorted(), ['a.txt', 'b.txt']);
  }),
);
