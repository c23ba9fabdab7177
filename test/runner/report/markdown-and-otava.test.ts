/** Markdown as GitHub reads it, and the files that Apache Otava reads. */
import { parse as parseCsv } from 'csv-parse/sync';
import { marked, type Tokens } from 'marked';
import t from 'tap';
import { parse as parseYaml } from 'yaml';
import type { Point } from '../../../runner/job-spec/types.js';
import { render } from '../../../runner/report/write-report.js';
import {
  measuredCells,
  reportOf,
  textOf,
  writeReportRun,
  writeTroubledRun,
} from '../../helpers/report-runs.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

t.test('Markdown: tables of GitHub, bounded, with nothing that is taken for markup', (t) =>
  withTempDir(async (folder) => {
    const text = await textOf(await reportOf([writeTroubledRun(folder)]), 'markdown', 'report.md');
    const tokens = marked.lexer(text, { gfm: true });
    const tables = tokens.filter((token): token is Tokens.Table => token.type === 'table');
    t.same(
      tables.map((table) => table.header.length),
      [1, 5, 7],
    );
    t.ok(tables.every((table) => table.rows.every((row) => row.length === table.header.length)));
    const error = tables[1]?.rows[0]?.[4];
    t.same(
      error?.tokens.map((token) => token.type),
      ['codespan'],
      'an error is text, its mention no mention',
    );
    t.match(error?.text, /@nobody/);
    t.notMatch(marked.parse(text) as string, /<b>/);
  }),
);

t.test('Markdown of thousands of failures still fits into a comment, and says how many it left out', (t) =>
  withTempDir(async (folder) => {
    const report = await reportOf([writeTroubledRun(folder)]);
    const suite = report.suites[0];
    const run = suite?.runs[0];
    if (suite === undefined || run === undefined) throw new Error('no run');
    const bad = run.rows.find((row) => row.status === 'failed');
    if (bad === undefined) throw new Error('no failed row');
    const rows = Array.from({ length: 5000 }, (_, at) => ({
      ...bad,
      point: at,
      params: `{"seed":${at}}`,
      series: `s${at}`,
    }));
    const many = { ...report, suites: [{ ...suite, runs: [{ ...run, rows }] }] };
    const text = await textOf(many, 'markdown', 'report.md');
    t.ok(text.length < 65_536, `${text.length} characters`);
    t.match(text, /\d+ more are in the full report/);
  }),
);

interface OtavaTest {
  readonly file: string;
  readonly time_column: string;
  readonly attributes: readonly string[];
  readonly metrics: Readonly<Record<string, { column: string; direction: number; scale: number }>>;
  readonly csv_options: { readonly delimiter: string; readonly quotechar: string };
}

t.test('Otava: each CSV has the columns that otava.yaml names, and no empty cell', (t) =>
  withTempDir(async (folder) => {
    const day = (at: number): string => `2026-01-0${at}T00:00:00.000Z`;
    const spec = (index: number) => (point: { index: number; spec: object }) =>
      index === 2 && point.index === 7 ? undefined : measuredCells(point as never, index);
    const runs = [1, 2, 3].map((at) =>
      writeReportRun(folder, { runId: `r${at}`, startedAt: day(at), cells: spec(at) as never }),
    );
    const files = await render(await reportOf(runs.slice(2), runs.slice(0, 2)), ['otava']);
    const config = parseYaml(files.find((file) => file.name === 'otava.yaml')?.text ?? '') as {
      tests: Record<string, OtavaTest>;
    };
    t.same(
      Object.keys(config.tests),
      ['small', 'small.part-2'],
      'keys that a run lacks have a file of their own',
    );
    for (const [name, entry] of Object.entries(config.tests)) {
      const text = files.find((file) => file.name === entry.file)?.text ?? '';
      const { delimiter, quotechar } = entry.csv_options;
      const rows = parseCsv(text, { columns: true, delimiter, quote: quotechar }) as Record<string, string>[];
      t.same(
        rows.map((row) => row['run_id']),
        name === 'small' ? ['r1', 'r2', 'r3'] : ['r1', 'r3'],
      );
      for (const row of rows) {
        t.not(new Date(row[entry.time_column] ?? '').getTime(), NaN);
        for (const { column, direction } of Object.values(entry.metrics)) {
          t.equal(direction, column.endsWith('GBps') ? 1 : -1);
          if (!(Number(row[column]) > 0) || row[column] === '') t.fail(`${column}: ${row[column]}`);
        }
        t.ok(entry.attributes.every((attribute) => row[attribute] !== undefined));
      }
    }
  }),
);

t.test('Otava: suites of one spec have tests of their own, and a figure that no run has is no column', (t) =>
  withTempDir(async (folder) => {
    const cells = (point: Point): object => ({
      ...measuredCells(point),
      ...(point.index < 4 ? {} : { aggregate_GBps: '' }),
      ...(point.index < 7 ? {} : { t_p50_us: '' }),
    });
    const runs = ['host', 'other'].map((deviceName) =>
      writeReportRun(folder, { runId: deviceName, deviceName, cells: cells as never }),
    );
    const text = await textOf(await reportOf(runs), 'otava', 'otava.yaml');
    const { tests } = parseYaml(text) as { tests: Record<string, OtavaTest> };
    t.same(Object.keys(tests), ['small.1', 'small.2']);
    const columns = Object.keys(tests['small.1']?.metrics ?? {});
    const count = (suffix: string): number => columns.filter((name) => name.endsWith(suffix)).length;
    t.same([count(' p50_us'), count(' GBps')], [7, 4]);
  }),
);
