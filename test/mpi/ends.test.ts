/** Runs that end before their last point: a killed rank, signals, and what is on disk afterwards. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MPIS, mpirunCli, startMpirun } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { railrunner } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

t.setTimeout(300_000);

/** Process ids of a run's ranks, by rank, from their logs. */
function pidsOf(folder: string, ranks: number): number[] {
  return Array.from({ length: ranks }, (_, rank) => {
    const path = join(folder, `rank-${String(rank).padStart(4, '0')}.log`);
    const line = readFileSync(path, 'utf8').split('\n')[0] as string;
    return (JSON.parse(line) as { pid: number }).pid;
  });
}

async function waitForRows(folder: string, ranks: number): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline) {
    if (existsSync(folder)) {
      const rows = readRankRows(folder);
      if (rows.length === ranks && rows.every((own) => own.length > 1)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no rows of ${ranks} ranks appeared in ${folder}`);
}

for (const mpi of MPIS) {
  t.test(
    `a rank killed under ${mpi}: the rest end, finished rows stay whole`,
    { skip: needsMpi(mpi) },
    async (t) => {
      const folder = t.testdir();
      const spec = writeSmallSpec(folder, { numPoints: 2000, iterations: 50 });
      const running = startMpirun({ mpi, ranks: 4, timeoutMs: 60_000 }, [
        process.execPath,
        railrunner,
        'run',
        spec,
        '--out',
        folder,
        '--run-id',
        'x',
      ]);
      await waitForRows(join(folder, 'x'), 4);
      const killedAt = performance.now();
      process.kill(pidsOf(join(folder, 'x'), 4)[2] as number, 'SIGKILL');
      const ended = await running.finished;
      t.ok(performance.now() - killedAt < 10_000, 'the rest ended within 10 s');
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

/** False once it has ended, also while its launcher has not yet asked how. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** A run of 200 points that gets a signal on rank 1 in its middle; resolves to how long that rank took to go. */
async function signalOneRank(t: Test, signal: NodeJS.Signals): Promise<number> {
  const folder = t.testdir();
  const spec = writeSmallSpec(folder, { numPoints: 200, iterations: 500 });
  const command = [process.execPath, railrunner, 'run', spec, '--out', folder, '--run-id', 'x'];
  const running = startMpirun({ mpi: 'openmpi', ranks: 4, timeoutMs: 60_000 }, command);
  await waitForRows(join(folder, 'x'), 4);
  const pid = pidsOf(join(folder, 'x'), 4)[1] as number;
  const sentAt = performance.now();
  process.kill(pid, signal);
  while (isRunning(pid) && performance.now() - sentAt < 5000) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const goneAfterMs = performance.now() - sentAt;
  const ended = await running.finished;
  t.equal(ended.status, 143, ended.stderr);
  const lasts = readRankRows(join(folder, 'x')).map((own) => {
    t.ok(own.some((row) => row['status'] === 'aborted' && row['error_code'] === 'E_INTERRUPTED'));
    return own.findLastIndex((row) => row['status'] === 'ok');
  });
  t.equal(new Set(lasts).size, 1, 'all ranks finished the same points');
  t.not(readManifest(join(folder, 'x'))?.outcome, 'ok', 'the manifest never says ok');
  return goneAfterMs;
}

for (const signal of ['SIGTERM', 'SIGUSR1'] as const) {
  t.test(`${signal} to one rank stops all at the same sample`, { skip: needsMpi('openmpi') }, async (t) => {
    // Open MPI kills one second after TERM. Other work on the machine may delay one run, not three.
    const times: number[] = [];
    while (times.length < 3 && !times.some((time) => time < 800)) times.push(await signalOneRank(t, signal));
    t.ok(Math.min(...times) < 800, `the rank was gone after ${times.map(Math.round).join(', ')} ms`);
  });
}

t.test(
  'a manifest that cannot be put in place: the run was not good',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const spec = writeSmallSpec(folder, { numPoints: 100, iterations: 200 });
    const command = [process.execPath, railrunner, 'run', spec, '--out', folder, '--run-id', 'x'];
    const running = startMpirun({ mpi: 'openmpi', ranks: 2, timeoutMs: 60_000 }, command);
    await waitForRows(join(folder, 'x'), 2);
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
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2 }, [
    'run',
    spec,
    '--out',
    folder,
    '--run-id',
    'x',
  ]);
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
