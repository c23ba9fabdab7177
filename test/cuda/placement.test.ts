/** Which rank gets which GPU, and what is refused: no GPU, one for two ranks, some ranks without, too little memory. */
import t from 'tap';
import { firstMissing, needsGpus, needsMpi } from '../helpers/require.js';
import { runOnGpus } from './gpu-run.js';

t.setTimeout(300_000);

const onHost = { skip: needsMpi('openmpi') };
const onOneGpu = { skip: firstMissing(needsMpi('openmpi'), needsGpus(1)) };
const onTwoGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(2)) };

const HIDE_ALL = { CUDA_VISIBLE_DEVICES: '' };
const ONLY_FIRST = { CUDA_VISIBLE_DEVICES: '0' };

t.test('device cuda where no rank has a GPU', onHost, async (t) => {
  const ended = await runOnGpus({ folder: t.testdir(), env: HIDE_ALL });
  t.equal(ended.status, 3, ended.stderr);
  t.match(ended.stderr, /device "cuda": no rank has a GPU \(rank 0: .+\)\. Use --device host or auto/);
  t.same(ended.rows, [], 'nothing was started');
});

t.test('device auto where no rank has a GPU is host', onHost, async (t) => {
  const ended = await runOnGpus({ folder: t.testdir(), env: HIDE_ALL, spec: { device: 'auto' } });
  t.equal(ended.status, 0, ended.stderr);
  for (const row of ended.rows.flat()) t.match(row, { status: 'ok', device: 'host', wrong: '0' });
});

t.test(
  'host memory that does not fit is refused before any is taken, with the figures',
  onHost,
  async (t) => {
    const spec = { device: 'host', job: { pools: { deviceBlocks: 8, hostBlocks: 2_000_000_000 } } } as const;
    const ended = await runOnGpus({ folder: t.testdir(), spec });
    t.equal(ended.status, 3, ended.stderr);
    t.match(ended.stderr, /host 0: 2 ranks need 29\.8 TiB of memory, [\d.]+ [KMGT]iB are available/);
    t.same(ended.rows, []);
  },
);

t.test(
  'GPU memory that does not fit is refused before any is taken, with the figures',
  onOneGpu,
  async (t) => {
    const spec = { job: { pools: { deviceBlocks: 200_000_000, hostBlocks: 8 } } };
    const ended = await runOnGpus({ folder: t.testdir(), ranks: 1, spec });
    t.equal(ended.status, 3, ended.stderr);
    t.match(ended.stderr, /rank 0: needs 1\.49 TiB of GPU memory, [\d.]+ [KMGT]iB are free/);
    t.same(ended.rows, []);
  },
);

t.test('fewer GPUs than ranks: two on one', onOneGpu, async (t) => {
  const refused = await runOnGpus({ folder: t.testdir(), env: ONLY_FIRST });
  t.equal(refused.status, 3, refused.stderr);
  t.match(refused.stderr, /ranks 0(, | and |-)1 were given one GPU.*allowSharedDevice/);
  t.same(refused.rows, []);
});

t.test('two ranks on one GPU where the spec allows it: right data, no times', onOneGpu, async (t) => {
  const ended = await runOnGpus({
    folder: t.testdir(),
    env: ONLY_FIRST,
    spec: { allowSharedDevice: true },
  });
  t.equal(ended.status, 0, ended.stderr);
  t.equal(ended.rows.length, 2);
  for (const row of ended.rows.flat()) {
    t.match(row, { status: 'ok', device: 'cuda', wrong: '0', t_p50_us: '', algbw_GBps: '', peak_GBps: '' });
  }
});

t.test(
  'ranks that share a GPU have no NCCL: what needs it is skipped, ipc and auto do without',
  onOneGpu,
  async (t) => {
    const strategies = ['rootBroadcast', 'scatterAllgather', 'ipc', 'auto'];
    const job = {
      kind: 'onboard',
      from: 'host',
      to: 'device',
      mode: 'replicated',
      sweep: { strategy: strategies },
    };
    const ended = await runOnGpus({
      folder: t.testdir(),
      env: ONLY_FIRST,
      spec: { allowSharedDevice: true, job },
    });
    t.equal(ended.status, 0, ended.stderr);
    for (const own of ended.rows) {
      for (const strategy of strategies) {
        const rows = own.filter((row) => row['strategy_requested'] === strategy);
        t.ok(rows.length > 0, strategy);
        for (const row of rows) {
          if (strategy === 'ipc' || strategy === 'auto')
            t.match(row, { status: 'ok', strategy_used: 'ipc', wrong: '0' });
          else
            t.match(row, {
              status: 'skipped',
              error: /NCCL needs a GPU for each rank, and ranks 0.* share one/,
            });
        }
      }
    }
  },
);

t.test('a launcher that shows each rank only its own GPU', onTwoGpus, async (t) => {
  const before = 'export CUDA_VISIBLE_DEVICES=$OMPI_COMM_WORLD_LOCAL_RANK';
  const ended = await runOnGpus({ folder: t.testdir(), before });
  t.equal(ended.status, 0, ended.stderr);
  t.equal(ended.rows.length, 2);
  const rows = ended.rows.flat();
  t.equal(new Set(rows.map((row) => row['device_uuid'])).size, 2, 'each has its own');
  for (const row of rows) t.match(row, { status: 'ok', device: 'cuda', wrong: '0', t_p50_us: /\d/ });
});

t.test('a world where one rank has no GPU', onOneGpu, async (t) => {
  for (const device of ['cuda', 'auto'] as const) {
    const before = 'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then export CUDA_VISIBLE_DEVICES=; fi';
    const ended = await runOnGpus({ folder: t.testdir(), before, spec: { device } });
    t.equal(ended.status, 3, ended.stderr);
    t.match(ended.stderr, /received one on rank 0 and none on rank 1/);
    t.same(ended.rows, []);
  }
});
