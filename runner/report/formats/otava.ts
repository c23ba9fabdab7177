/**
 * Apache Otava: wide CSV files, one row per run and one column per key, with the `otava.yaml` that names them. Otava refuses an
 * empty cell, and where it fills gaps it repeats the value before: a missing run would read as a steady one. So keys that not
 * every run has get a file of their own with the runs that have them.
 */
import { stringify } from 'csv-stringify/sync';
import { stringify as yaml } from 'yaml';
import { groupBy } from '../group-by.js';
import { uniqueNames } from '../key-names.js';
import type { Report, ReportRow, ReportedRun, Suite } from '../model.js';
import { keyOf } from '../repeats.js';
import type { OutputFile, ReportFormat } from './format.js';
import { firstOf } from '../../values/items.js';

const METRICS = [
  { suffix: 'p50_us', direction: -1, of: (row: ReportRow) => row.p50Us },
  { suffix: 'GBps', direction: 1, of: (row: ReportRow) => row.totalGBps },
] as const;

interface Column {
  readonly name: string;
  readonly direction: 1 | -1;
  /** By run. */
  readonly values: ReadonlyMap<ReportedRun, number>;
}

export const otavaFormat: ReportFormat = {
  write: (report) => {
    const files: OutputFile[] = [];
    const tests: Record<string, object> = {};
    for (const [at, suite] of report.suites.entries()) {
      for (const [group, columns] of columnGroups(suite).entries()) {
        const file = `otava-${at + 1}-${group + 1}.csv`;
        files.push({ name: file, text: csvOf(columns) });
        tests[testName(suite, at, group, report)] = testOf(file, columns);
      }
    }
    return [...files, { name: 'otava.yaml', text: yaml({ tests }, { lineWidth: 0 }) }];
  },
};

const ATTRIBUTES = ['run_id', 'railrunner', 'commit'] as const;

function testOf(file: string, columns: readonly Column[]): object {
  const metrics = new Map(
    columns.map(({ name, direction }) => [name, { column: name, direction, scale: 1 }]),
  );
  return {
    type: 'csv',
    file,
    time_column: 'time',
    attributes: [...ATTRIBUTES],
    metrics: Object.fromEntries(metrics),
    csv_options: { delimiter: ',', quotechar: '"' },
  };
}

function testName(suite: Suite, at: number, group: number, report: Report): string {
  const twin = report.suites.some((other, index) => index !== at && other.specName === suite.specName);
  return `${suite.specName}${twin ? `.${at + 1}` : ''}${group > 0 ? `.part-${group + 1}` : ''}`;
}

/** Columns whose runs are the same, the fullest group first. */
function columnGroups(suite: Suite): Column[][] {
  const runs = runsOf(suite);
  const groups = groupBy(columnsOf(runs), (column) =>
    runs.map((run) => (column.values.has(run) ? '1' : '0')).join(''),
  );
  return [...groups.values()].toSorted((a, b) => b.length - a.length);
}

function runsOf(suite: Suite): ReportedRun[] {
  return [...suite.earlier, ...suite.runs].toSorted((a, b) => +a.startedAt - +b.startedAt);
}

function columnsOf(runs: readonly ReportedRun[]): Column[] {
  const byKey = new Map<string, Map<ReportedRun, ReportRow>>();
  const keys: ReportRow[] = [];
  for (const run of runs) {
    for (const row of run.rows) {
      // A time of wrong data does not count.
      if (row.status !== 'ok') continue;
      const known = byKey.get(keyOf(row));
      if (known) known.set(run, row);
      else {
        byKey.set(keyOf(row), new Map([[run, row]]));
        keys.push(row);
      }
    }
  }
  const names = uniqueNames(keys);
  return [...byKey.values()].flatMap((rows, at) =>
    METRICS.flatMap(({ suffix, direction, of }): Column[] => {
      const values = [...rows].flatMap(([run, row]) => {
        const value = of(row);
        return value === undefined ? [] : [[run, value] as const];
      });
      return values.length === 0
        ? []
        : [{ name: `${names[at]} ${suffix}`, direction, values: new Map(values) }];
    }),
  );
}

function csvOf(columns: readonly Column[]): string {
  const runs = [...firstOf(columns).values.keys()];
  const records = runs.map((run) => [
    run.startedAt.toISOString(),
    run.runId,
    run.railrunnerVersion,
    run.commit,
    ...columns.map((column) => String(column.values.get(run))),
  ]);
  return stringify([['time', ...ATTRIBUTES, ...columns.map((column) => column.name)], ...records]);
}
