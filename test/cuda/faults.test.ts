/** A kernel that never ends and one that loses the context: the run ends as errors.md says, and names the rank. */
import t from 'tap';
import { firstMissing, needsGpus, needsMpi } from '../helpers/require.js';
import { readManifest } from '../helpers/results.js';
import { runOnGpus } from './gpu-run.js';

t.setTimeout(300_000);

const GUILTY = 1;
const onTwoGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(2)) };
const planted = (action: string): { RAILRUNNER_FAULT: string } => ({
  RAILRUNNER_FAULT: `rank=${GUILTY},point=0,stage=measure,action=${action}`,
});

t.test('a kernel that never ends is ended at the deadline, and the next point runs', onTwoGpus, async (t) => {
  const spec = { timeoutSeconds: 5 };
  const ended = await runOnGpus({ folder: t.testdir(), env: planted('spinKernel'), spec });
  t.equal(ended.status, 124, ended.stderr);
  t.equal(ended.rows.length, 2);
  for (const [rank, own] of ended.rows.entries()) {
    const named = { status: 'timeout', error_code: 'E_TIMEOUT', hung_rank: '1', hung_stage: 'measure' };
    for (const row of own.filter(({ point }) => point === '0')) t.match(row, named, `rank ${rank}`);
    const next = own.filter(({ point }) => point === '1');
    t.ok(next.length > 0);
    for (const row of next) t.match(row, { status: 'ok', wrong: '0' }, `rank ${rank} ran the next point`);
  }
  t.match(readManifest(ended.runFolder), { outcome: 'timeout', exitStatus: 124 });
});

t.test('an illegal access ends the run: the context is lost', onTwoGpus, async (t) => {
  const spec = { numPoints: 3, timeoutSeconds: 20 };
  const ended = await runOnGpus({ folder: t.testdir(), env: planted('illegalAccess'), spec });
  t.equal(ended.status, 4, ended.stderr);
  t.equal(ended.rows.length, 2);
  for (const [rank, own] of ended.rows.entries()) {
    const first = own.filter(({ point }) => point === '0');
    t.ok(first.length > 0);
    for (const row of first) {
      const guilty = rank === GUILTY;
      t.match(row, { status: 'failed', error_code: guilty ? 'E_CUDA_STICKY' : 'E_PEER_FAILED' });
      t.match(row['error'], guilty ? /cudaErrorIllegalAddress.*context is lost/ : /rank 1 failed measure/);
    }
    for (const point of ['1', '2']) {
      const later = own.filter((row) => row['point'] === point);
      t.equal(later.length, 1, `rank ${rank} has a row of point ${point}`);
      t.match(later[0], { status: 'aborted', error_code: 'E_CUDA_STICKY' });
    }
  }
  t.match(readManifest(ended.runFolder), { outcome: /^(?!ok$)/, exitStatus: 4 });
});
