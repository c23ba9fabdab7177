/** Runs that end before their last point: a killed rank, signals, and what is on disk afterwards. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MPIS, mpirunCli, startMpirun } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { railrunner, runArgs } from '../helpers/run-cli.js';
import { SMALL_LAYOUT, writeSmallSpec } from '../helpers/small-spec.js';
import { pidOfRank, whenMeasuring } from '../helpers/rank-process.js';

t.setTimeout(900_000);

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`${what}: not seen within 120 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Counts lines instead of parsing them: the ranks are still writing, and half a row is none. */
async function waitForRows(folder: string, ranks: number): Promise<void> {
  const files = Array.from({ length: ranks }, (_, rank) => `rank-${String(rank).padStart(4, '0')}.csv`);
  const hasTwoRows = (file: string): boolean =>
    existsSync(join(folder, file)) && readFileSync(join(folder, file), 'utf8').split('\n').length > 3;
  await until(`rows of ${ranks} ranks in ${folder}`, () => files.every(hasTwoRows));
}

for (const mpi of MPIS) {
  t.test(
    `a rank killed under ${mpi}: the rest end, finished rows stay whole`,
    { skip: needsMpi(mpi) },
    async (t) => {
      const folder = t.testdir();
      const spec = writeSmallSpec(folder, { numPoints: 2000, iterations: 50, timeoutSeconds: 600 });
      const running = startMpirun({ mpi, ranks: 4, timeoutMs: 200_000 }, [
        process.execPath,
        railrunner,
        ...runArgs(spec, folder),
      ]);
      await waitForRows(join(folder, 'x'), 4);
      process.kill(pidOfRank(join(folder, 'x'), 2), 'SIGKILL');
      const ended = await running.finished;
      t.notOk(ended.timedOut, 'the rest ended long before the deadline of their stage');
      t.not(ended.status, 0);
      for (const own of readRankRows(join(folder, 'x'))) {
        const finished = own.filter((row) => row['status'] === 'ok');
        t.ok(finished.length > 1, 'rows of finished points are there');
        t.ok(
          finished.every((row) => row['wrong'] === '0' && row['started_at'] !== ''),
          'and whole to their last column',
        );
      }
      t.not(readManifest(join(folder, 'x'))?.outcome, 'ok', 'the manifest never says ok');
    },
  );
}

/** Two points of milliseconds, one that measures for many minutes, one that never begins. */
function writeEndlessSpec(folder: string): string {
  const blocks = 512;
  const job = {
    kind: 'offload',
    from: 'device',
    to: 'host',
    layout: SMALL_LAYOUT,
    blocks,
    pools: { deviceBlocks: blocks, hostBlocks: blocks },
  };
  const spec = {
    device: 'host',
    defaults: { warmup: 1, iterations: 5, timeoutSeconds: 3600, probe: false },
    jobs: [
      { id: 'short', ...job, sweep: { seed: [1, 2] } },
      { id: 'endless', ...job, iterations: 1_000_000 },
      { id: 'never', ...job },
    ],
  };
  writeFileSync(join(folder, 'spec.json'), JSON.stringify(spec));
  return join(folder, 'spec.json');
}

for (const signal of ['SIGTERM', 'SIGUSR1'] as const) {
  t.test(`${signal} to one rank stops all at the same sample`, { skip: needsMpi('openmpi') }, async (t) => {
    const folder = t.testdir();
    const spec = writeEndlessSpec(folder);
    const command = [process.execPath, railrunner, ...runArgs(spec, folder)];
    // mpirun does not hear of a signal to one rank: the grace outlasts a busy machine, so that one run decides.
    const env = { RAILRUNNER_STOP_GRACE_SECONDS: '60' };
    const running = startMpirun({ mpi: 'openmpi', ranks: 4, env }, command);
    process.kill(await whenMeasuring(running, join(folder, 'x'), 1, 2), signal);
    const { status, stderr } = await running.finished;
    t.equal(status, 143, stderr);
    t.not(readManifest(join(folder, 'x'))?.outcome, 'ok', 'the manifest never says ok');
    for (const [rank, own] of readRankRows(join(folder, 'x')).entries()) {
      const log = readFileSync(join(folder, 'x', `rank-000${rank}.log`), 'utf8');
      t.notMatch(log, /leaves without the others/, `rank ${rank} stopped in the sample that all agreed on`);
      t.same(
        own.map((row) => [row['job_id'], row['status'], row['error_code']]),
        [
          ['short', 'ok', ''],
          ['short', 'ok', ''],
          ['endless', 'aborted', 'E_INTERRUPTED'],
          ['never', 'aborted', 'E_INTERRUPTED'],
        ],
        `rank ${rank} has a row for every point`,
      );
    }
  });
}

t.test(
  'a manifest that cannot be put in place: the run was not good',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const spec = writeSmallSpec(folder, { numPoints: 100, iterations: 500 });
    const command = [process.execPath, railrunner, ...runArgs(spec, folder)];
    const running = startMpirun({ mpi: 'openmpi', ranks: 2 }, command);
    // As early as it can be there: before the first point, and the run takes seconds.
    await until('the manifest of a run in flight', () => existsSync(join(folder, 'x', 'manifest.json.part')));
    mkdirSync(join(folder, 'x', 'manifest.json', 'in the way'), { recursive: true });
    const ended = await running.finished;
    t.equal(ended.status, 3, ended.stdout.slice(-500));
    t.match(ended.stderr, /manifest\.json cannot be put in place/);
    t.ok(
      readRankRows(join(folder, 'x')).every((own) => own.length === 100),
      'no row is lost',
    );
  },
);

t.test('a run id that is taken: nothing is overwritten', { skip: needsMpi('openmpi') }, async (t) => {
  const folder = t.testdir({ x: { 'rank-0000.csv': 'mine' } });
  const spec = writeSmallSpec(folder);
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2 }, runArgs(spec, folder));
  t.equal(ended.status, 3);
  t.match(ended.stderr, /choose another --run-id/);
  t.equal(ended.stderr.split('choose another').length, 2, 'said once');
  t.equal(readFileSync(join(folder, 'x', 'rank-0000.csv'), 'utf8'), 'mine');
});

t.test('an output folder that cannot be written', { skip: needsMpi('openmpi') }, async (t) => {
  const folder = t.testdir({ file: 'not a folder' });
  const spec = writeSmallSpec(folder);
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2 }, ['run', spec, '--out', join(folder, 'file')]);
  t.equal(ended.status, 3);
  t.match(ended.stderr, /cannot be created/);
  t.notMatch(ended.stderr, / at .*\.js:/, 'no stack trace');
});
