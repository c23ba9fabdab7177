/** A request trace through GPU memory: the same hits as on the host device, every one of them verified there. */
import t, { type Test } from 'tap';
import { REPLICATED_STRATEGIES } from '../../jobs/kv/schema.js';
import { needsGpus, needsMpi, firstMissing } from '../helpers/require.js';
import { pointOf, rowOf, runReplay } from '../helpers/run-replay.js';
import type { Ran } from '../helpers/run-spec.js';

t.setTimeout(300_000);

/** What the cache did: the same on any device. */
const COUNTS = [
  'requests',
  'hits_device',
  'hits_host',
  'hits_disk',
  'misses',
  'offloads_host',
  'offloads_disk',
];

function countsOf(run: Ran, rank = 0): object {
  const row = rowOf(run, rank, 'replay');
  return Object.fromEntries(COUNTS.map((name) => [name, row[name]]));
}

function isVerified(t: Test, run: Ran, rank: number, strategy: string): void {
  t.match(rowOf(run, rank, 'replay'), { status: 'ok', wrong: '0', device: 'cuda' }, strategy);
  t.ok(Number(rowOf(run, rank, 'replay')['checked']) > 0, `${strategy}: hits were compared`);
}

const onAGpu = { skip: firstMissing(needsMpi('openmpi'), needsGpus(1)) };
const onTwoGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(2)) };

t.test('sharded: each strategy finds what the host device finds', onAGpu, async (t) => {
  const alone = { ranks: 1, mpi: 'openmpi' } as const;
  const host = await runReplay(t.testdir(), alone);
  const strategies = ['memcpy', 'memcpyBatch', 'kernel', 'staged', 'auto'];
  const jobs = strategies.map((strategy) => ({ strategy }));
  const run = await runReplay(t.testdir(), { ...alone, jobs, device: 'cuda' });
  t.equal(run.status, 0, run.said);
  for (const [point, strategy] of strategies.entries()) {
    const own = pointOf(run, point);
    isVerified(t, own, 0, strategy);
    t.same(countsOf(own), countsOf(host), strategy);
    // A direction may need another: "kernel+staged".
    if (strategy !== 'auto') t.match(rowOf(own, 0, 'replay')['strategy_used'], strategy);
    for (const direction of ['host->device', 'disk->device', 'device->host', 'host->disk']) {
      const { copied_blocks, payload_bytes } = rowOf(host, 0, 'copy', direction);
      t.match(rowOf(own, 0, 'copy', direction), { copied_blocks, payload_bytes, status: 'ok' }, direction);
    }
  }
});

t.test('replicated: after a point that fails, the next one loads with NCCL again', onTwoGpus, async (t) => {
  const job = { mode: 'replicated', strategy: 'pipelined' };
  const fault = 'rank=1,point=0,stage=verify,action=throw';
  const run = await runReplay(t.testdir(), { jobs: [job, job], device: 'cuda', fault });
  t.match(pointOf(run, 0).rows[1]?.[0], { status: 'failed', error_code: 'E_JOB' }, run.said);
  for (const rank of [0, 1]) isVerified(t, pointOf(run, 1), rank, job.strategy);
});

t.test('replicated: one load for both GPUs, whatever the cap of NCCL', onTwoGpus, async (t) => {
  const strategies = REPLICATED_STRATEGIES.filter((name) => name !== 'independent');
  const jobs = [4, 'uncapped'].flatMap((maxCtas) =>
    strategies.map((strategy) => ({ mode: 'replicated', root: 1, strategy, maxCtas })),
  );
  const run = await runReplay(t.testdir(), { jobs, device: 'cuda' });
  t.equal(run.status, 0, run.said);
  for (const [point, { strategy, maxCtas }] of jobs.entries()) {
    const own = pointOf(run, point);
    for (const rank of [0, 1]) {
      isVerified(t, own, rank, `${strategy}, maxCtas ${maxCtas}`);
      t.ok(Number(rowOf(own, rank, 'copy', 'host->device')['copied_blocks']) > 0);
    }
    t.same(countsOf(own, 0), countsOf(own, 1), 'both ranks hit alike');
  }
});
