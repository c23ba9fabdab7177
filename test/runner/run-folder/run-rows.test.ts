import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { joinShards } from '../../../runner/run-folder/shards.js';
import {
  missingRanks,
  openRunFolder,
  readRank,
  readSummary,
  type RunRow,
} from '../../../runner/run-folder/run-rows.js';
import { syntheticSpec, writeSyntheticRun, type SyntheticRun } from '../../helpers/synthetic-run.js';
import { differingKeys } from '../../../runner/run-folder/point-identity.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

type Overrides = Partial<SyntheticRun>;

function writeOne(folder: string, overrides: Overrides = {}): string {
  return writeSyntheticRun(folder, {
    runId: 'one',
    spec: syntheticSpec(folder, { numPoints: 3 }),
    startedAt: '2026-01-02T03:04:05.000Z',
    cells: (point) => ({ t_p50_us: 100 + point.index }),
    ...overrides,
  });
}

interface Kept extends Pick<RunRow, 'point' | 'params' | 'series' | 'status'> {
  readonly p50Us: number | undefined;
}

async function rowsOf(path: string): Promise<{ rows: Kept[]; truncated: boolean }> {
  const rows: Kept[] = [];
  const { truncated } = await readSummary(await openRunFolder(path), (row) => {
    const { point, params, series, status, csv } = row;
    rows.push({ point, params, series, status, p50Us: csv.number('t_p50_us') });
  });
  return { rows, truncated };
}

t.test('rows of both schema versions have the same identity', (t) =>
  withTempDir(async (folder) => {
    const second = await rowsOf(writeOne(folder, { runId: 'v2' }));
    const first = await rowsOf(writeOne(folder, { runId: 'v1', schemaVersion: 1 }));
    t.same(second.rows, first.rows);
    t.match(second.rows[1], { point: 1, params: '{"seed":2}', series: /^s[0-9a-f]{16}$/, p50Us: 101 });
    t.equal(new Set(second.rows.map((row) => row.series)).size, 3, 'points have series of their own');
    const summary = join(folder, 'v2', 'summary.csv');
    writeFileSync(summary, readFileSync(summary, 'utf8').replaceAll(/,s([0-9a-f]{16})/g, ',$1'));
    t.same((await rowsOf(join(folder, 'v2'))).rows, first.rows, 'without the letter, as it was written once');
  }),
);

t.test('the series tells what is measured, and nothing of how long', (t) =>
  withTempDir(async (folder) => {
    const seriesOf = async (runId: string, overrides: Overrides): Promise<unknown> =>
      (await rowsOf(writeOne(folder, { runId, ...overrides }))).rows[0]?.series;
    const base = await seriesOf('base', {});
    const longer = syntheticSpec(folder, { numPoints: 3, iterations: 7, timeoutSeconds: 9 });
    t.equal(await seriesOf('longer', { spec: longer }), base, 'iterations and deadline do not count');
    const larger = syntheticSpec(folder, { numPoints: 3, job: { blocks: 8 } });
    t.not(await seriesOf('larger', { spec: larger }), base, 'blocks do');
    t.not(await seriesOf('world', { worldSize: 3 }), base, 'the world does');
    t.not(await seriesOf('device', { deviceName: 'other' }), base, 'the device does');
  }),
);

t.test('a file that ends within a row loses only that row, and says so', (t) =>
  withTempDir(async (folder) => {
    const path = writeOne(folder);
    const whole = readFileSync(join(path, 'summary.csv'), 'utf8');
    const lastRow = whole.lastIndexOf('\n', whole.length - 2) + 1;
    for (let length = lastRow + 1; length < whole.length; length += 1) {
      writeFileSync(join(path, 'summary.csv'), whole.slice(0, length));
      const { rows, truncated } = await rowsOf(path);
      if (rows.length !== 2 || !truncated) {
        t.fail(`cut at ${length - lastRow} bytes: ${rows.length} rows, truncated ${truncated}`);
      }
    }
    writeFileSync(join(path, 'summary.csv'), whole.slice(0, lastRow));
    t.match(await rowsOf(path), { truncated: false }, 'cut between rows nothing is missing');
  }),
);

const DAMAGES: readonly [string, (csv: string) => string, RegExp][] = [
  [
    'NaN',
    (csv) => csv.replace(',101,', ',NaN,'),
    /line 3, column t_p50_us: expected a number, received "NaN"/,
  ],
  ['hex', (csv) => csv.replace(',101,', ',0x10,'), /line 3, column t_p50_us/],
  ['an endless number', (csv) => csv.replace(',101,', ',1e999,'), /line 3, column t_p50_us/],
  [
    'a row in the middle cut',
    (csv) => csv.replace(/,101,.*\n/, '\n'),
    /line 3: expected \d+ fields, received/,
  ],
  ['a quote in a field', (csv) => csv.replace(',101,', ',1"01,'), /line 3/],
  ['a foreign run', (csv) => csv.replace(',one,', ',two,'), /run_id is not one/],
  ['another digest', (csv) => csv.replace(/,[0-9a-f]{64},/, ',abc,'), /spec_digest is not the manifest's/],
  ['an unknown status', (csv) => csv.replace(',ok,', ',fine,'), /status: unknown word "fine"/],
  [
    'a newer row',
    (csv) => csv.replace('\n2,', '\n3,'),
    /line 2: schema_version is not 2, which the manifest has/,
  ],
  ['a point of no spec', (csv) => csv.replace(',offload,2,', ',offload,7,'), /point 7 is not one/],
  ['a negative point', (csv) => csv.replace(',offload,2,', ',offload,-2,'), /expected a whole number from 0/],
  ['one row twice', (csv) => csv + csv.split('\n').at(-2) + '\n', /a second row for point 2/],
  ['a missing column', (csv) => csv.replace('job_id', 'job'), /missing job_id/],
  ['a column twice', (csv) => csv.replace('job_id', 'kind'), /two columns have the same name/],
  ['nothing at all', () => '', /expected a header line/],
  [
    'a series that is none',
    (csv) => csv.replaceAll(/,s[0-9a-f]{16}(?=[,\n])/g, ',x'),
    /expected s and 16 hex digits/,
  ],
];

t.test('damage is refused with file, line and what was expected', (t) =>
  withTempDir(async (folder) => {
    const path = writeOne(folder);
    const whole = readFileSync(join(path, 'summary.csv'), 'utf8');
    for (const [name, damage, expected] of DAMAGES) {
      const changed = damage(whole);
      t.not(changed, whole, `${name}: the damage is done`);
      writeFileSync(join(path, 'summary.csv'), changed);
      await t.rejects(rowsOf(path), { code: 'E_RUN_READ', message: expected }, name);
    }
    rmSync(join(path, 'summary.csv'));
    await t.rejects(rowsOf(path), { code: 'E_RUN_READ', message: /summary\.csv cannot be read/ });
  }),
);

t.test('rank files: their rows, and who is missing', (t) =>
  withTempDir(async (folder) => {
    const run = await openRunFolder(writeOne(folder));
    const ranks: string[] = [];
    const content = await readRank(run, 1, (row) => ranks.push(row.csv.text('rank')));
    t.same(ranks, ['1', '1', '1']);
    t.equal(content.numRows, 3);
    t.same(await missingRanks(run), []);
    rmSync(join(run.path, 'rank-0001.csv'));
    t.same(await missingRanks(run), [1]);
    const gone = { ...run, path: join(folder, 'gone') };
    await t.rejects(missingRanks(gone), { code: 'E_RUN_READ', message: /gone cannot be read.*ENOENT/ });
    mkdirSync(join(run.path, 'rank-0001.csv'));
    await t.rejects(
      readRank(run, 1, () => undefined),
      { code: 'E_RUN_READ', message: /rank-0001\.csv: expected a file/ },
    );
    appendFileSync(join(run.path, 'rank-0000.csv'), '\u0000\n');
    await t.rejects(
      readRank(run, 0, () => undefined),
      { code: 'E_RUN_READ' },
    );
  }),
);

t.test('shards are joined, each once, and what is missing is named', (t) =>
  withTempDir(async (folder) => {
    const shard = (index: number, hour: number): string =>
      writeOne(folder, {
        runId: `s${index}-${hour}`,
        startedAt: `2026-01-02T0${hour}:00:00.000Z`,
        manifest: { shard: { index, count: 3 } },
      });
    const paths = [shard(2, 1), shard(1, 2), shard(2, 3), writeOne(folder)];
    const joined = joinShards(await Promise.all(paths.map(openRunFolder)));
    const told = joined.map((run) => [run.parts.map((part) => part.manifest.runId), run.missingShards]);
    t.same(told, [
      [['s1-2', 's2-1'], [3]],
      [['s2-3'], [1, 3]],
      [['one'], []],
    ]);
  }),
);

t.test('one run named twice is refused, as a copy too', (t) =>
  withTempDir(async (folder) => {
    const path = writeOne(folder);
    cpSync(path, join(folder, 'copy'), { recursive: true });
    const runs = await Promise.all([path, join(folder, 'copy')].map(openRunFolder));
    t.throws(() => joinShards(runs), { code: 'E_USAGE', message: /run one was given twice/ });
  }),
);

t.test('a second row for the same place names its phase', (t) =>
  withTempDir(async (folder) => {
    const path = writeOne(folder);
    const file = join(path, 'summary.csv');
    const [header = '', first = '', ...rest] = readFileSync(file, 'utf8').split('\n');
    const phase = header.split(',').indexOf('phase');
    const phaseless = first.split(',').map((cell, at) => (at === phase ? '' : cell));
    writeFileSync(file, [header, phaseless, phaseless, ...rest].join('\n'));
    await t.rejects(rowsOf(path), {
      code: 'E_RUN_READ',
      message: /a second row for point 0, phase \(none\)/,
    });
    writeFileSync(file, [header, first, first, ...rest].join('\n'));
    await t.rejects(rowsOf(path), { code: 'E_RUN_READ', message: /a second row for point 0, phase total/ });
  }),
);

t.test('what differs between two jobs is named by its path; keys of one version alone are not', async (t) => {
  const old = { blocks: 4, layout: { pageSize: 16, gone: 1 }, order: null };
  const now = { blocks: 8, layout: { pageSize: 32 }, order: null, added: true };
  t.same(differingKeys(old, now), ['blocks', 'layout.pageSize']);
});
