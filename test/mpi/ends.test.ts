/** Runs that end before their last point: a killed rank, signals, and what is on disk afterwards. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MPIS, mpirunCli, startMpirun } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { railrunner } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';
import { pidOfRank } from '../helpers/rank-process.js';

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
        'run',
        spec,
        '--out',
        folder,
        '--run-id',
        'x',
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

/** False once it has ended, also while its launcher has not yet asked how. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

interface Stopped {
  readonly status: number | null;
  readonly goneAfterMs: number;
  /** A rank's patience ended before the ranks had agreed, or the run before the signal: the machine is too busy. */
  readonly isDisturbed: boolean;
  readonly said: string;
}

/** A run of 200 points that gets a signal on rank 1 in its middle. */
async function stopOneRank(folder: string, signal: NodeJS.Signals): Promise<Stopped> {
  const spec = writeSmallSpec(folder, { numPoints: 200, iterations: 1000 });
  const command = [process.execPath, railrunner, 'run', spec, '--out', folder, '--run-id', 'x'];
  const running = startMpirun({ mpi: 'openmpi', ranks: 4 }, command);
  await waitForRows(join(folder, 'x'), 4);
  const pid = pidOfRank(join(folder, 'x'), 1);
  const sentAt = performance.now();
  process.kill(pid, signal);
  while (isRunning(pid) && performance.now() - sentAt < 60_000) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const goneAfterMs = performance.now() - sentAt;
  const { status, stderr } = await running.finished;
  const logs = [0, 1, 2, 3].map((rank) => readFileSync(join(folder, 'x', `rank-000${rank}.log`), 'utf8'));
  const leftAlone = logs.some((log) => log.includes('leaves without the others'));
  return { status, goneAfterMs, isDisturbed: status === 0 || leftAlone || goneAfterMs >= 800, said: stderr };
}

for (const signal of ['SIGTERM', 'SIGUSR1'] as const) {
  t.test(`${signal} to one rank stops all at the same sample`, { skip: needsMpi('openmpi') }, async (t) => {
    // Open MPI kills one second after TERM, so a rank's patience is short: a busy machine may outlast it now and then.
    const tries: Stopped[] = [];
    let folder = '';
    do {
      folder = t.testdir();
      tries.push(await stopOneRank(folder, signal));
      const outcome = readManifest(join(folder, 'x'))?.outcome;
      if (tries.at(-1)?.status !== 0) t.not(outcome, 'ok', 'the manifest never says ok');
    } while (tries.at(-1)?.isDisturbed && tries.length < 8);
    const { status, goneAfterMs, said } = tries.at(-1) as Stopped;
    t.ok(
      goneAfterMs < 800,
      `the rank was gone after ${tries.map((one) => Math.round(one.goneAfterMs)).join(', ')} ms`,
    );
    t.equal(status, 143, said);
    const lasts = readRankRows(join(folder, 'x')).map((own) => {
      t.ok(own.some((row) => row['status'] === 'aborted' && row['error_code'] === 'E_INTERRUPTED'));
      return own.findLastIndex((row) => row['status'] === 'ok');
    });
    t.equal(new Set(lasts).size, 1, 'all ranks finished the same points');
  });
}

t.test(
  'a manifest that cannot be put in place: the run was not good',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const spec = writeSmallSpec(folder, { numPoints: 100, iterations: 500 });
    const command = [process.execPath, railrunner, 'run', spec, '--out', folder, '--run-id', 'x'];
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
