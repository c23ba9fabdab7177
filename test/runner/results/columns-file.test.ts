import { join } from 'node:path';
import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { columnsForKinds } from '../../../runner/results/columns.js';
import {
  describeColumn,
  describeColumns,
  type ColumnsFile,
  type DescribedColumn,
} from '../../../runner/results/columns-file.js';
import { readCsv } from '../../helpers/results.js';
import { runCli, runArgs } from '../../helpers/run-cli.js';
import { writeSmallSpec } from '../../helpers/small-spec.js';
import { needsMpi } from '../../helpers/require.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { readJson } from '../../helpers/json.js';

const FORMS: Readonly<Record<DescribedColumn['type'], RegExp>> = {
  integer: /^\d+$/,
  number: /^-?\d+(\.\d+)?(e[+-]\d+)?$/,
  text: /^/,
  time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
};

t.test('columns.json types every cell of a real run', { skip: needsMpi('openmpi') }, (t) =>
  withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, { numPoints: 2, iterations: 25 });
    const ended = await runCli(runArgs(spec, folder, 'r'));
    t.equal(ended.status, 0, ended.stderr);
    const run = join(folder, 'r');
    const file = readJson<ColumnsFile>(join(run, 'columns.json'));
    for (const [name, columns] of [
      ['rank-0000.csv', file.files.rank],
      ['summary.csv', file.files.summary],
    ] as const) {
      const rows = readCsv(join(run, name));
      t.same(
        columns.map((column) => column.name),
        Object.keys(rows[0] ?? {}),
        `${name}: the header, in order`,
      );
      for (const { name: column, type } of columns) {
        const odd = rows.find((row) => row[column] !== '' && !FORMS[type].test(row[column] ?? ''));
        t.equal(odd?.[column], undefined, `${name}: ${column} is of type ${type}`);
      }
    }
  }),
);

t.test('directions: smaller times, larger rates, and none for sizes and limits', async (t) => {
  const all = columnsForKinds(
    JOB_KINDS,
    JOB_KINDS.map((kind) => kind.kind),
  );
  const { files } = describeColumns(all, []);
  const better = Object.fromEntries(
    [...files.rank, ...files.summary].map((column) => [column.name, column.better]),
  );
  t.match(better, {
    t_p50_us: 'smaller',
    setup_us: 'smaller',
    algbw_GBps: 'larger',
    aggregate_pct_of_peak: 'larger',
    noise_pct: 'smaller',
    wrong: 'smaller',
    peak_GBps: null,
    payload_bytes: null,
    rank: null,
  });
  const own = { name: 'depth', unit: 'us', meaning: 'of a kind', type: 'integer', better: null } as const;
  t.match(describeColumn(own), { type: 'integer', better: null }, 'a definition that says so wins');
});
