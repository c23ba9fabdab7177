/** `railrunner report` as its users start it: what it writes, what it says, and how it ends. */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fill, needsMount, withSmallDisk } from '../../helpers/full-disk.js';
import { HOSTILE, measuredCells, writeReportRun, writeTroubledRun } from '../../helpers/report-runs.js';
import { runCli, type Finished } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const FILES = [
  'bencher.json',
  'github-action-bigger.json',
  'github-action-smaller.json',
  'junit.xml',
  'otava-1-1.csv',
  'otava.yaml',
  'railrunner.prom',
  'report.html',
  'report.md',
];

const report = (folder: string, args: readonly string[]): Promise<Finished> =>
  runCli(['report', ...args, '--out', join(folder, 'out')]);

t.test('a good run: every format, exit status 0', (t) =>
  withTempDir(async (folder) => {
    const ended = await report(folder, [writeReportRun(folder)]);
    t.equal(ended.status, 0, ended.stderr);
    t.equal(ended.stderr, '');
    t.match(ended.stdout, /^1 run, 8 rows: 8 ok\. Nothing is missing\.\n/);
    t.same(readdirSync(join(folder, 'out')).toSorted(), FILES, 'and nothing half written');
    for (const name of FILES) t.ok(ended.stdout.includes(join(folder, 'out', name)));
    const page = readFileSync(join(folder, 'out', 'report.html'), 'utf8');
    t.notMatch(page, /(src|href)="(?!data:,"|#)/, 'the page refers to nothing outside itself');
  }),
);

t.test('a run that is not whole is reported, and the exit status says so', (t) =>
  withTempDir(async (folder) => {
    const ended = await report(folder, [writeTroubledRun(folder)]);
    t.equal(ended.status, 1);
    t.match(ended.stdout, /^1 run, 8 rows: 1 failed, 1 missing, 1 skipped, 5 ok\. Something failed/);
    t.match(ended.stderr, /troubled: its outcome is failed\ntroubled: 1 point of 8 without a row/);
    const page = readFileSync(join(folder, 'out', 'report.html'), 'utf8');
    t.notOk(page.includes('<b>'), 'a text of the CSV is not markup');
    t.ok(page.includes('&lt;b&gt;'));
    t.ok(HOSTILE.includes('<b>'));
  }),
);

t.test('schema versions 1 and 2 side by side', (t) =>
  withTempDir(async (folder) => {
    const old = writeReportRun(folder, {
      runId: 'old',
      schemaVersion: 1,
      startedAt: '2025-12-31T00:00:00.000Z',
    });
    const ended = await report(folder, [writeReportRun(folder), old, '--format', 'bencher']);
    t.equal(ended.status, 0, ended.stderr);
    const bmf = JSON.parse(readFileSync(join(folder, 'out', 'bencher.json'), 'utf8')) as Record<
      string,
      Record<string, object>
    >;
    t.equal(Object.keys(bmf).length, 8, 'rows of both versions have the same keys');
    t.match(Object.values(bmf)[0]?.['time-p50-us'], { lower_value: Number }, 'so they are two runs of each');
    t.same(readdirSync(join(folder, 'out')), ['bencher.json']);
  }),
);

interface Trouble {
  readonly name: string;
  readonly make: (run: string) => void;
  readonly says: RegExp;
  readonly status: number;
}

const summaryOf = (run: string): string => join(run, 'summary.csv');
const replaceIn = (file: string, from: RegExp | string, to: string): void => {
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${String(from)} is not in ${file}`);
  writeFileSync(file, changed);
};

const TROUBLES: readonly Trouble[] = [
  {
    name: 'a truncated CSV',
    make: (run) => truncateSync(summaryOf(run), statSync(summaryOf(run)).size - 9),
    says: /one: summary\.csv ends within a row, which was left out\none: 1 point of 8 without a row/,
    status: 1,
  },
  {
    name: "a rank's file missing",
    make: (run) => rmSync(join(run, 'rank-0001.csv')),
    says: /one: no file of rank 1: copy it from its host/,
    status: 1,
  },
  {
    name: "a rank's file truncated",
    make: (run) => truncateSync(join(run, 'rank-0001.csv'), 2000),
    says: /file of rank 1 ends within a row/,
    status: 1,
  },
  {
    name: 'NaN in a row',
    make: (run) => replaceIn(summaryOf(run), ',108,', ',NaN,'),
    says: /a row was left out: .*summary\.csv: line 9, column t_p50_us: expected a number, received "NaN"/,
    status: 1,
  },
  {
    name: 'no summary.csv',
    make: (run) => rmSync(summaryOf(run)),
    says: /summary\.csv cannot be read[^]*8 points of 8 without a row/,
    status: 1,
  },
  {
    name: 'a run cut short',
    make: (run) => cpSync(join(run, 'manifest.json'), join(run, 'manifest.json.part')),
    says: /was cut short, or still goes on/,
    status: 1,
  },
  {
    name: 'a row twice',
    make: (run) =>
      appendFileSync(summaryOf(run), `${readFileSync(summaryOf(run), 'utf8').split('\n').at(-2)}\n`),
    says: /a second row for point 7/,
    status: 1,
  },
];

t.test('what is damaged is named, and the rest is reported', (t) =>
  withTempDir(async (folder) => {
    for (const { name, make, says, status } of TROUBLES) {
      const inside = join(folder, name.replaceAll(/\W/g, '-'));
      mkdirSync(inside);
      const run = writeReportRun(inside);
      make(run);
      if (name === 'a run cut short') rmSync(join(run, 'manifest.json'));
      const ended = await report(inside, [run]);
      t.equal(ended.status, status, `${name}: ${ended.stderr}`);
      t.match(ended.stderr, says, name);
      const missing = readFileSync(join(inside, 'out', 'report.html'), 'utf8');
      t.match(missing, /Missing or damaged/, `${name}: the page says so first`);
      t.match(
        readFileSync(join(inside, 'out', 'junit.xml'), 'utf8'),
        /<failure/,
        `${name}: and a case fails`,
      );
    }
  }),
);

t.test('folders that are no runs, and runs named twice', (t) =>
  withTempDir(async (folder) => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const alone = await report(folder, [empty]);
    t.equal(alone.status, 2);
    t.match(alone.stderr, /empty: expected a run folder with manifest\.json, found neither/);
    const file = join(folder, 'README.md');
    writeFileSync(file, '');
    t.match((await report(folder, [file])).stderr, /README\.md: expected a run folder with manifest\.json/);
    const run = writeReportRun(folder);
    const withEmpty = await report(folder, [run, empty]);
    t.equal(withEmpty.status, 2, 'what was named and not read is never green');
    t.match(withEmpty.stderr, /empty: expected a run folder/);
    t.same(
      readdirSync(join(folder, 'out')).length,
      FILES.length,
      'the readable run is reported all the same',
    );
    cpSync(run, join(folder, 'copy'), { recursive: true });
    const twice = await report(folder, [run, '--earlier', join(folder, 'copy')]);
    t.equal(twice.status, 2);
    t.match(twice.stderr, /run one was given twice/);
    const format = await report(folder, [run, '--format', 'pdf']);
    t.equal(format.status, 2);
    t.match(format.stderr, /--format: expected html, .*, received "pdf"/);
  }),
);

t.test('shards are joined, and a missing one is named', (t) =>
  withTempDir(async (folder) => {
    const shard = (index: number): string =>
      writeReportRun(folder, {
        runId: `s${index}`,
        cells: (point) => (point.index % 2 === index - 1 ? measuredCells(point) : undefined),
        manifest: { shard: { index, count: 2 } },
      });
    const [first, second] = [shard(1), shard(2)];
    const both = await report(folder, [second, first]);
    t.equal(both.status, 0, both.stderr);
    t.match(both.stdout, /^1 run, 8 rows: 8 ok/);
    const one = await report(folder, [first]);
    t.equal(one.status, 1);
    t.match(one.stderr, /shard 2 of 2 is missing[^]*4 points of 8 without a row/);
  }),
);

t.test('a run of chosen points is whole with them, and says which they were', (t) =>
  withTempDir(async (folder) => {
    const chosen = (runId: string, points: string): string =>
      writeReportRun(folder, {
        runId,
        cells: (point) => (point.index === 1 || point.index === 4 ? measuredCells(point) : undefined),
        manifest: { points },
      });
    const whole = await report(folder, [chosen('whole', '1,4')]);
    t.equal(whole.status, 0, whole.stderr);
    t.match(
      whole.stdout,
      /^1 run, 2 rows: 2 ok\. Nothing is missing\. whole: was to measure only 2 points of 8 \(--points 1,4\)\./,
    );
    const one = await report(folder, [chosen('less', '1,4-5')]);
    t.equal(one.status, 1);
    t.match(one.stderr, /1 point of 3 without a row/);
  }),
);

t.test(
  'a disk that fills up while a report is written: an error, and the old report stays',
  { skip: needsMount() },
  (t) =>
    withTempDir((folder) =>
      withSmallDisk(1024, async (disk, filler) => {
        const run = writeReportRun(folder);
        const out = join(disk, 'out');
        t.equal((await runCli(['report', run, '--out', out])).status, 0);
        const before = readFileSync(join(out, 'junit.xml'), 'utf8');
        fill(filler, disk, 8);
        const slower = writeReportRun(folder, { runId: 'slower', cells: (point) => measuredCells(point, 2) });
        const ended = await runCli(['report', slower, '--out', out]);
        t.equal(ended.status, 3);
        t.match(ended.stderr, /the report cannot be written to .*ENOSPC.*name another folder by --out/);
        t.equal(readFileSync(join(out, 'junit.xml'), 'utf8'), before);
        t.same(readdirSync(out).toSorted(), FILES, 'nothing half written is left');
      }),
    ),
);
