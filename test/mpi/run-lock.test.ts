/** Nobody writes into the folder of a run that is still running; a dead holder keeps nobody out. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { LOCK_FILE, lockRun, removeLock } from '../../runner/engine/run-lock.js';
import { addon } from '../../runner/native/binding.js';
import { mpirunCli, startMpirun, type MpirunOptions } from '../helpers/mpirun.js';
import { killTree } from '../helpers/process-tree.js';
import { needsMpi } from '../helpers/require.js';
import { untilSummaryRow } from '../helpers/rank-process.js';
import { readRankRows } from '../helpers/results.js';
import { railrunner, runArgs } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';
import { withTempDir } from '../helpers/with-temp-dir.js';

const world: MpirunOptions = { mpi: 'openmpi', ranks: 2 };
const skip = needsMpi('openmpi');

t.test(
  'a byte for each rank; a taken one is named once patience ends, a removed file locks nobody out',
  (t) =>
    withTempDir(async (folder) => {
      t.equal(await lockRun(addon(), folder, 0), 'held');
      t.equal(await lockRun(addon(), folder, 1), 'held');
      await t.rejects(lockRun(addon(), folder, 1, 300), {
        code: 'E_RESUME',
        message: /this run still goes on: another process is its rank 1 and holds run\.lock/,
      });
      await removeLock(folder);
      t.equal(await lockRun(addon(), folder, 1), 'held');
      await t.rejects(lockRun(addon(), join(folder, 'none'), 0), {
        code: 'E_OUTPUT',
        message: /run\.lock cannot be made: E_IO: open .*name another folder by --out/,
      });
    }),
);

t.test('--resume of a live run waits for it, and goes on once it was killed', { skip }, (t) =>
  withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, { numPoints: 3, timeoutSeconds: 600 });
    const run = join(folder, 'r');
    const hang = { RAILRUNNER_FAULT: 'rank=1,point=1,stage=measure,action=hang' };
    const args = [process.execPath, railrunner, ...runArgs(spec, folder, 'r')];
    const live = startMpirun({ ...world, env: hang }, args);
    await live.waitFor(/\[1\/3\]/);
    const before = readFileSync(join(run, 'rank-0000.csv'), 'utf8');
    let isOver = false;
    const resumed = mpirunCli({ ...world, timeoutMs: 300_000 }, ['run', spec, '--resume', run]).finally(
      () => {
        isOver = true;
      },
    );
    await sleep(6000);
    t.equal(isOver, false);
    t.equal(readFileSync(join(run, 'rank-0000.csv'), 'utf8'), before, 'nobody else wrote');
    killTree(live.child.pid as number);
    await live.finished;
    const ended = await resumed;
    t.equal(ended.status, 0, ended.stderr);
    t.match(ended.stdout, /2 points and 1 from before on 2 ranks/);
    t.notOk(existsSync(join(run, LOCK_FILE)), 'a run that ended leaves only results');
  }),
);

t.test('of two --resume at once one goes on, and the other finds it done', { skip }, (t) =>
  withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder, { numPoints: 4 });
    const run = join(folder, 'r');
    const fault = { RAILRUNNER_FAULT: 'rank=0,point=1,stage=measure,action=hang' };
    const args = [process.execPath, railrunner, ...runArgs(spec, folder, 'r')];
    const started = startMpirun({ ...world, env: fault }, args);
    // A point is told while its row of the summary, without which it is not whole, is on its way to the disk.
    await started.waitFor(/\[1\/4\]/);
    await untilSummaryRow(started, run);
    killTree(started.child.pid as number);
    await started.finished;
    const resume = ['run', spec, '--resume', run];
    const both = await Promise.all([mpirunCli(world, resume), mpirunCli(world, resume)]);
    const told = both.map(({ stdout }) => /ok: .* on 2 ranks/.exec(stdout)?.[0]).sort();
    t.same(told, ['ok: 0 points and 4 from before on 2 ranks', 'ok: 3 points and 1 from before on 2 ranks']);
    for (const ended of both) t.equal(ended.status, 0, ended.stderr);
    const rows = readRankRows(run).map((own) => own.map((row) => `${row['point']} ${row['status']}`));
    t.same(
      rows,
      [0, 1].map(() => [0, 1, 2, 3].map((point) => `${point} ok`)),
    );
  }),
);
