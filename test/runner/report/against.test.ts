/** `railrunner report RUN... --against BASELINE...`, of a folder of `ab`, with a verdict or a history that is there already. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import t from 'tap';
import { measuredCells, writeReportRun } from '../../helpers/report-runs.js';
import { runCli, type Finished } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const report = (folder: string, args: readonly string[]): Promise<Finished> =>
  runCli(['report', ...args, '--out', join(folder, 'out')]);
const read = (folder: string, name: string): string => readFileSync(join(folder, 'out', name), 'utf8');
const minute = (at: number): string => new Date(Date.UTC(2026, 0, 2, 0, at)).toISOString();
/** Within 1 %, the same at every call. */
const jitter = (run: number, point: number): number => 1 + 0.004 * Math.sin(7 * run + 3 * point);

/** Ten pairs in the order A B B A; of B, point 2 is `pct` slower. */
function writePairs(folder: string, pct: number): { a: string[]; b: string[] } {
  const sides: { a: string[]; b: string[] } = { a: [], b: [] };
  for (let run = 0; run < 20; run += 1) {
    const side = run % 4 === 0 || run % 4 === 3 ? 'a' : 'b';
    const slower = (point: number): number => (side === 'b' && point === 2 ? 1 + pct / 100 : 1);
    const path = writeReportRun(folder, {
      runId: `${side}${run}`,
      startedAt: minute(run),
      cells: (point) => measuredCells(point, jitter(run, point.index) * slower(point.index)),
    });
    sides[side].push(path);
  }
  return sides;
}

t.test('A against B: every key has the word of `compare`, in every format that tells of keys', (t) =>
  withTempDir(async (folder) => {
    const { a, b } = writePairs(folder, 8);
    const ended = await report(folder, [...b, '--against', ...a]);
    t.equal(ended.status, 0, `it is compare that gates: ${ended.stderr}`);
    t.match(ended.stdout, /\nregression: 1 regressed, 7 equal; b1 and 9 more against a0 and 9 more\n/);
    const markdown = read(folder, 'report.md');
    t.match(
      markdown,
      /\| `down blocks=2 strategy=memcpy total\/host device->host` \| regressed \| \+8\.\d % \|/,
    );
    const page = read(folder, 'report.html');
    t.match(page, /<p class="bad"><a href="#comparison">A against B<\/a>: regression: 1 regressed/);
    t.match(page, /Runs of A and of B/);
    t.match(page, />regressed<.*<td class="number">1\.00<\/td><td class="number">10<\/td><td>test<\/td>/);
    const options = {
      ignoreAttributes: false,
      attributeNamePrefix: '@',
      isArray: (name: string) => name.startsWith('test'),
    };
    const parsed = new XMLParser(options).parse(read(folder, 'junit.xml')) as {
      testsuites: [{ testsuite: { '@name': string; '@failures': string; '@tests': string }[] }];
    };
    const suites = parsed.testsuites[0].testsuite;
    t.match(
      suites.find((suite) => suite['@name'] === 'railrunner.comparison'),
      {
        '@tests': '8',
        '@failures': '1',
      },
    );

    const wide = await report(folder, [
      ...b,
      '--against',
      ...a,
      '--key-threshold',
      'down blocks=2 *memcpy*=20',
    ]);
    t.match(wide.stdout, /no regression: 8 equal/);
    const typo = await report(folder, [...b, '--against', ...a, '--key-threshold', 'dwon*=20']);
    t.match(typo, { status: 2, stderr: /no key fits/ });

    const verdict = join(folder, 'verdict.json');
    const pages = join(folder, 'pages');
    const compared = await runCli(['compare', ...b, '--against', ...a, '--json', verdict, '--report', pages]);
    t.equal(compared.status, 5, compared.stderr);
    t.match(compared.stdout, new RegExp(`report in ${pages}`));
    t.equal(readFileSync(join(pages, 'report.md'), 'utf8'), markdown, 'compare --report writes the same');
    const shown = await report(folder, [...b, '--verdict', verdict]);
    t.match(shown, { status: 0, stdout: /regression: 1 regressed, 7 equal/ });
    writeFileSync(verdict, readFileSync(verdict, 'utf8').replace('"regressed",', '"slow",'));
    t.match(await report(folder, [...b, '--verdict', verdict]), {
      status: 2,
      stderr: /word must be equal to one of/,
    });
  }),
);

t.test('a folder of `ab` is both sides and their verdict', (t) =>
  withTempDir(async (folder) => {
    const { a, b } = writePairs(folder, 8);
    const ab = join(folder, 'ab-1');
    mkdirSync(join(ab, 'runs'), { recursive: true });
    await runCli(['compare', ...b, '--against', ...a, '--json', join(ab, 'verdict.json')]);
    writeFileSync(join(ab, 'ab.json'), '{}');
    for (const [side, paths] of [
      ['a', a],
      ['b', b],
    ] as const) {
      paths.forEach((path, at) =>
        renameSync(path, join(ab, 'runs', `s1-p${String(at + 1).padStart(2, '0')}-${side}`)),
      );
    }
    const ended = await report(folder, [ab]);
    t.equal(ended.status, 0, ended.stderr);
    t.match(
      ended.stdout,
      /^10 runs, 80 rows: 80 ok\. Nothing is missing\.\nregression: 1 regressed, 7 equal/,
    );
    t.match(read(folder, 'report.html'), /Runs of A and of B/);
    t.match(await report(folder, [ab, '--against', ab]), { status: 2, stderr: /expected it by itself/ });
  }),
);

t.test('what the candidate lost is a failure, and another machine is named and not compared', (t) =>
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
    t.match(ended.stderr, /1 key of the baseline missing in the candidate/);
    t.match(read(folder, 'report.md'), /blocks=8 strategy=kernel total\/host device->host` \| missing \|/);

    const other = writeReportRun(folder, { runId: 'other', deviceName: 'Xeon' });
    const foreign = await report(folder, [before[0] ?? '', '--against', other]);
    t.equal(foreign.status, 1);
    t.match(foreign.stderr, /not compared with the baseline: .*deviceName: Xeon and AMD EPYC/);
    t.notMatch(read(folder, 'report.md'), /Against the baseline/);
  }),
);

t.test('earlier runs are only in the history, and one that fits nowhere is named', (t) =>
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
    const bmf = read(folder, 'bencher.json');
    t.notMatch(bmf, /lower_value/, 'the exports hold the reported run only');
    t.match(read(folder, 'report.html'), /History of small/);
    const lost = await report(folder, [run, '--earlier', other]);
    t.equal(lost.status, 1);
    t.match(lost.stderr, /earlier: other is of another spec, device or layout/);
  }),
);

t.test('changes of level over a history are drawn and named, and nothing else is', (t) =>
  withTempDir(async (folder) => {
    const history = join(folder, 'history');
    const runs = Array.from({ length: 36 }, (_, at) =>
      writeReportRun(folder, {
        runId: `r${at}`,
        startedAt: minute(at),
        cells: (point) =>
          measuredCells(point, jitter(at, point.index) * (at >= 20 && point.index === 1 ? 1.06 : 1)),
      }),
    );
    await runCli(['compare', ...runs.slice(30), '--against', ...runs.slice(0, 3), '--history', history]);
    await runCli(['compare', ...runs.slice(0, 30), '--against', runs[30] ?? '', '--history', history]);
    const ended = await report(folder, [runs[35] ?? '', '--history', history]);
    t.equal(ended.status, 0, ended.stderr);
    const markdown = read(folder, 'report.md');
    const changes = markdown.split('\n').filter((line) => /\| `r\d+` \| 2026-01-02 \|$/.test(line));
    t.equal(changes.length, 1, markdown);
    t.match(
      changes[0],
      /^\| `small\/down\/total\/host\/device->host blocks=1 strategy=kernel @2` \| \+[56]\.\d % \| `r(19|20|21)` \|/,
    );
    const page = read(folder, 'report.html');
    t.match(page, /36 runs\. A gap is a run without that key/);
    t.match(page, /Changes of level/);
  }),
);
