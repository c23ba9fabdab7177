import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { mpirunCli, startMpirun, type MpirunOptions } from '../helpers/mpirun.js';
import { killTree } from '../helpers/process-tree.js';
import { needsMpi } from '../helpers/require.js';
import { readCsv, readManifest, readRankRows, type CsvRow } from '../helpers/results.js';
import { railrunner, runArgs } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';
import { withTempDir } from '../helpers/with-temp-dir.js';
import { readJson } from '../helpers/json.js';

// small worlds: two ranks, killed at any instant or left alone

/** RAILRUNNER_TEST_KILLS=200 for the whole bar; every instant takes two runs of some seconds. */
const NUM_KILLS = Number(process.env['RAILRUNNER_TEST_KILLS'] ?? 6);
const NUM_POINTS = 12;
const world: MpirunOptions = { mpi: 'openmpi', ranks: 2 };
const skip = needsMpi('openmpi');

/** What a tracker sees of a table: which rows there are, and how each ended. */
function tableOf(rows: readonly CsvRow[]): string[] {
  const columns = ['job_id', 'point', 'params', 'phase', 'timing', 'direction', 'rank', 'series', 'status'];
  return rows.map((row) => columns.map((name) => row[name]).join(' ')).sort();
}

const tablesOf = (run: string): string[][] =>
  [readCsv(join(run, 'summary.csv')), ...readRankRows(run)].map(tableOf);

/** Point -> when it was measured, of the points that every rank's file holds whole. */
function finishedPoints(run: string): Map<string, string> {
  if (!existsSync(join(run, 'rank-0001.csv'))) return new Map();
  const perRank = [0, 1].map((rank) => {
    const text = readFileSync(join(run, `rank-000${rank}.csv`), 'utf8');
    // Half a row at the end is none.
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
    const at = (name: string): number => (lines[0] ?? '').split(',').indexOf(name);
    const [point, status] = [at('point'), at('status')];
    const rows = lines.slice(1, -1).map((line) => line.replace(/"[^"]*(""[^"]*)*"/, '{}').split(','));
    return new Map(
      rows
        .filter((row) => row[status] === 'ok')
        .map((row) => [row[point] ?? '', row[at('started_at')] ?? '']),
    );
  });
  const [first, second] = perRank as [Map<string, string>, Map<string, string>];
  return new Map([...first].filter(([point]) => second.has(point)));
}

const timeout = 60_000 * NUM_KILLS;
t.test(`kill -9 at ${NUM_KILLS} random instants, then --resume`, { skip, timeout }, (t) =>
  withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, { numPoints: NUM_POINTS, iterations: 2000 });
    const run = (name: string): string[] => ['run', spec, '--out', folder, '--run-id', name];
    const whole = await mpirunCli(world, run('whole'));
    t.equal(whole.status, 0, whole.stderr);
    const expected = tablesOf(join(folder, 'whole'));
    let interrupted = 0;
    for (let kill = 0; kill < NUM_KILLS; kill += 1) {
      const name = `killed-${kill}`;
      const path = join(folder, name);
      const started = startMpirun(world, [process.execPath, railrunner, ...run(name)]);
      // Half of the instants lie anywhere, half between two points.
      const line = Math.floor(Math.random() * NUM_POINTS);
      if (kill % 2 === 0) await sleep(Math.random() * whole.durationMs);
      else await started.waitFor(new RegExp(`\\[${line}/|results in`)).catch(() => undefined);
      if (kill % 2 === 1) await sleep(Math.random() * 15);
      killTree(started.child.pid as number);
      await started.finished;
      const before = finishedPoints(path);
      if (!existsSync(join(path, 'manifest.json'))) interrupted += 1;
      const args = existsSync(path) ? ['run', spec, '--resume', path] : run(name);
      const ended = await mpirunCli({ ...world, timeoutMs: 120_000 }, args);
      if (ended.status !== 0) t.fail(`kill ${kill}: exit ${ended.status}: ${ended.stderr}`);
      if (ended.timedOut) t.fail(`kill ${kill}: the resumed run did not end`);
      if (JSON.stringify(tablesOf(path)) !== JSON.stringify(expected)) {
        t.same(tablesOf(path), expected, `kill ${kill}: the table is that of an unbroken run`);
      }
      const after = finishedPoints(path);
      const again = [...before].filter(([point, at]) => after.get(point) !== at);
      if (again.length > 1) t.fail(`kill ${kill}: points ${again.map(([point]) => point)} were run again`);
      if (readManifest(path)?.outcome !== 'ok') t.fail(`kill ${kill}: the manifest does not say ok`);
    }
    t.ok(interrupted > 0, `${interrupted} of ${NUM_KILLS} runs were cut short`);
  }),
);

t.test('a run ended by a signal goes on; a finished one has nothing left to do', { skip }, (t) =>
  withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, { numPoints: 3, job: { saveSamples: true } });
    const fault = { RAILRUNNER_FAULT: 'rank=0,point=1,stage=measure,action=hang' };
    const started = startMpirun({ ...world, env: fault }, [
      process.execPath,
      railrunner,
      ...runArgs(spec, folder, 'r'),
    ]);
    await started.waitFor(/\[1\/3\]/);
    process.kill(started.child.pid as number, 'SIGTERM');
    t.not((await started.finished).status, 0);
    const run = join(folder, 'r');
    const [first] = readCsv(join(run, 'rank-0000.csv'));
    const resumed = await mpirunCli(world, ['run', spec, '--resume', run]);
    t.equal(resumed.status, 0, resumed.stderr);
    t.match(resumed.stdout, /2 points and 1 from before on 2 ranks/);
    const rows = readRankRows(run);
    t.same(
      rows.map((own) => own.map((row) => `${row['point']} ${row['status']}`)),
      [
        ['0 ok', '1 ok', '2 ok'],
        ['0 ok', '1 ok', '2 ok'],
      ],
      'aborted rows gave way',
    );
    t.equal(rows[0]?.[0]?.['started_at'], first?.['started_at'], 'the finished point was not run again');
    const manifest = readJson<Record<string, unknown>>(join(run, 'manifest.json'));
    t.match(manifest, { outcome: 'ok', statusCounts: [{ ok: 3 }, { ok: 3 }] });
    t.equal((manifest['resumedAt'] as string[]).length, 1);
    const again = await mpirunCli(world, ['run', spec, '--resume', run]);
    t.equal(again.status, 0, again.stderr);
    t.match(again.stdout, /0 points and 3 from before/);
    t.same(readRankRows(run), rows);
  }),
);

t.test('what is not the same run is refused, and stays as it was', { skip }, (t) =>
  withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, { numPoints: 2 });
    const run = join(folder, 'r');
    await mpirunCli(world, ['run', spec, '--out', folder, '--run-id', 'r', '--shard', '1/2']);
    const before = readFileSync(join(run, 'rank-0000.csv'), 'utf8');
    const ended = await mpirunCli({ ...world, ranks: 3 }, ['run', spec, '--resume', run]);
    t.match(ended, { status: 2, stderr: /layout: 2 then, 3 now/ });
    t.equal(readFileSync(join(run, 'rank-0000.csv'), 'utf8'), before);
    writeFileSync(join(run, 'rank-0001.csv'), before.replace('algbw_GBps', 'other'));
    const columns = await mpirunCli(world, ['run', spec, '--resume', run]);
    t.match(columns.stderr, /expected the columns that this railrunner writes/);
    rmSync(join(run, 'rank-0001.csv'));
    renameSync(join(run, 'manifest.json'), join(run, 'kept'));
    const lost = await mpirunCli(world, ['run', spec, '--resume', run]);
    t.match(lost.stderr, /found none but/, 'rows without a manifest are not overwritten');
  }),
);
