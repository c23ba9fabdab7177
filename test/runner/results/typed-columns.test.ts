/**
 * Readers that guess types must guess them as columns.json says: pandas (1.5.3 tried), DuckDB's read_csv_auto (1.5.6 tried), and
 * readers like csvkit's, which take a column for numbers where every cell that is not empty is one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import type { ColumnsFile, DescribedColumn } from '../../../runner/results/columns-file.js';
import type { Missing } from '../../helpers/require.js';
import { run, runCli } from '../../helpers/run-cli.js';
import { writeSmallSpec } from '../../helpers/small-spec.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { parseJson, readJson } from '../../helpers/json.js';

const PYTHON = '/usr/bin/python3';
/** Debian's pandas belongs to Debian's Python; none of these readers is set up for CI, where the last one runs. */
async function needsPandas(): Promise<Missing> {
  const tried = await run(PYTHON, ['-c', 'import pandas']).catch(() => undefined);
  return tried?.status === 0 ? false : "needs pandas (Debian's package python3-pandas)";
}

/** 70 MB of binaries: not among our packages. */
async function loadDuckDb(): Promise<DuckDb | undefined> {
  const name = '@duckdb/node-api';
  return (await import(name).catch(() => undefined)) as DuckDb | undefined;
}

interface DuckDb {
  readonly DuckDBInstance: {
    create(path: string): Promise<{
      connect(): Promise<{
        runAndReadAll(sql: string): Promise<{ getRowObjects(): Record<string, unknown>[] }>;
      }>;
    }>;
  };
}

type Guess = 'text' | 'number' | 'time' | 'empty' | 'boolean';

/** Name -> what a reader takes the column for. */
type Guesses = Readonly<Record<string, Guess>>;

async function withRun(
  body: (files: readonly [string, readonly DescribedColumn[]][]) => Promise<void>,
): Promise<void> {
  await withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, { numPoints: 3, iterations: 25 });
    const ended = await runCli([
      'run',
      spec,
      '--out',
      folder,
      '--run-id',
      'one',
      '--set',
      'defaults.probe=true',
    ]);
    if (ended.status !== 0) throw new Error(ended.stderr);
    const place = (name: string): string => join(folder, 'one', name);
    const { files } = readJson<ColumnsFile>(place('columns.json'));
    await body([
      [place('summary.csv'), files.summary],
      [place('rank-0000.csv'), files.rank],
    ]);
  });
}

/**
 * Columns that are taken for something else than columns.json says. An empty column has no type to guess, and `yes` and `no`
 * (batches_merged) are truth values for DuckDB, which is right.
 */
function wrongGuesses(columns: readonly DescribedColumn[], guesses: Guesses): string[] {
  const missing = columns.filter((column) => guesses[column.name] === undefined);
  const wrong = columns.filter(({ name, type }) => {
    const guess = guesses[name];
    if (guess === undefined || guess === 'empty') return false;
    if (type === 'integer' || type === 'number') return guess !== 'number';
    return type === 'time' ? guess !== 'time' && guess !== 'text' : guess !== 'text' && guess !== 'boolean';
  });
  return [
    ...missing.map(({ name }) => `${name}: not there`),
    ...wrong.map(({ name, type }) => `${name}: ${type}, taken for ${guesses[name]}`),
  ];
}

t.test('pandas', { skip: await needsPandas() }, (t) =>
  withRun(async (files) => {
    for (const [path, columns] of files) {
      const script = `import json, pandas, sys
table = pandas.read_csv(sys.argv[1])
kinds = {'i': 'number', 'f': 'number', 'O': 'text', 'b': 'boolean', 'M': 'time'}
print(json.dumps({name: 'empty' if table[name].isna().all() else kinds[table[name].dtype.kind] for name in table.columns}))`;
      const ended = await run(PYTHON, ['-c', script, path]);
      t.equal(ended.status, 0, ended.stderr);
      const guesses = parseJson<Guesses>(ended.stdout);
      t.same(wrongGuesses(columns, guesses), []);
      t.match(guesses, { t_p50_us: 'number', payload_bytes: 'number', job_id: 'text', params: 'text' });
    }
  }),
);

const duckDb = await loadDuckDb();
t.test(
  'DuckDB',
  { skip: duckDb === undefined ? 'needs DuckDB: npm install --no-save @duckdb/node-api' : false },
  (t) =>
    withRun(async (files) => {
      if (duckDb === undefined) return;
      const database = await (await duckDb.DuckDBInstance.create(':memory:')).connect();
      for (const [path, columns] of files) {
        const described = await database.runAndReadAll(`describe select * from read_csv_auto('${path}')`);
        const summarized = await database.runAndReadAll(`summarize select * from read_csv_auto('${path}')`);
        const empty = new Set(
          summarized
            .getRowObjects()
            .filter((row) => row['min'] === null)
            .map((row) => String(row['column_name'])),
        );
        const guesses = described.getRowObjects().map((row): [string, Guess] => {
          const name = String(row['column_name']);
          return [name, empty.has(name) ? 'empty' : guessOfSql(String(row['column_type']))];
        });
        t.same(wrongGuesses(columns, Object.fromEntries(guesses)), []);
        t.match(Object.fromEntries(guesses), { t_p50_us: 'number', started_at: 'time', job_id: 'text' });
      }
    }),
);

function guessOfSql(type: string): Guess {
  if (/INT|DOUBLE|DECIMAL|FLOAT/.test(type)) return 'number';
  if (/TIMESTAMP|DATE/.test(type)) return 'time';
  return type === 'BOOLEAN' ? 'boolean' : 'text';
}

t.test('a reader that takes a column for numbers where every cell is one', (t) =>
  withRun(async (files) => {
    for (const [path, columns] of files) {
      const rows = parse(readFileSync(path, 'utf8'), { columns: true }) as Record<string, string>[];
      t.equal(rows.length, 3);
      const guesses = columns.map(({ name }): [string, Guess] => {
        const cells = rows.map((row) => row[name]).filter((cell) => cell !== '');
        if (cells.length === 0) return [name, 'empty'];
        return [name, cells.every((cell) => Number.isFinite(Number(cell))) ? 'number' : 'text'];
      });
      t.same(wrongGuesses(columns, Object.fromEntries(guesses)), []);
    }
  }),
);
