/** `railrunner report RUN... --against BASELINE... --earlier OLDER...` */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { measuredCells, writeReportRun } from '../../helpers/report-runs.js';
import { runCli, type Finished } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const report = (folder: string, args: readonly string[]): Promise<Finished> =>
  runCli(['report', ...args, '--out', join(folder, 'out')]);

t.test('A against B: ratios of medians, what is missing, and other machines by name', (t) =>
  withTempDir(async (folder) => {
    const before = [1, 2, 3].map((at) =>
      writeReportRun(folder, { runId: `a${at}`, cells: (point) => measuredCells(point, 1 + at / 10) }),
    );
    const after = writeReportRun(folder, {
      runId: 'b',
      cells: (point) => (point.index === 7 ? undefined : measuredCells(point, 1.8)),
    });
    const ended = await report(folder, [after, '--against', ...before]);
    t.equal(ended.status, 1, 'a key that is gone is never green');
    t.match(ended.stderr, /1 key of the baseline missing here/);
    const text = readFileSync(join(folder, 'out', 'report.md'), 'utf8');
    t.match(
      text,
      /\| `small\/down\/total\/host\/device->host blocks=1 strategy=memcpy @2` \| not judged \| \+50\.0 % \| 1 run against 3 \|/,
    );
    t.match(text, /blocks=8 strategy=kernel @2` \| missing \|/);

    const other = writeReportRun(folder, { runId: 'other', deviceName: 'Xeon' });
    const foreign = await report(folder, [before[0] ?? '', '--against', other]);
    t.equal(foreign.status, 1);
    t.match(
      foreign.stderr,
      /other is of another machine class and was not compared: deviceName \(Xeon, here AMD EPYC\)/,
    );
    t.notMatch(readFileSync(join(folder, 'out', 'report.md'), 'utf8'), /Against the baseline/);
  }),
);

t.test('earlier runs are in the history alone, and one that fits nowhere is named', (t) =>
  withTempDir(async (folder) => {
    const older = writeReportRun(folder, {
      runId: 'older',
      startedAt: '2025-01-01T00:00:00.000Z',
      cells: (point) => measuredCells(point, 3),
    });
    const other = writeReportRun(folder, { runId: 'other', worldSize: 3 });
    const run = writeReportRun(folder);
    const ended = await report(folder, [run, '--earlier', older]);
    t.equal(ended.status, 0, ended.stderr);
    const bmf = readFileSync(join(folder, 'out', 'bencher.json'), 'utf8');
    t.notMatch(bmf, /lower_value/, 'the exports hold the reported run only');
    t.match(readFileSync(join(folder, 'out', 'report.html'), 'utf8'), /History of small/);
    const lost = await report(folder, [run, '--earlier', other]);
    t.equal(lost.status, 1);
    t.match(lost.stderr, /earlier: other is of another spec, device or layout/);
  }),
);
