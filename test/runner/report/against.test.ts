/** `railrunner report RUN... --against BASELINE...` */
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
