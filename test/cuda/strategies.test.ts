/** Every strategy between two GPUs' memory and host memory, as a user runs it: right data, and rows that say how. */
import t from 'tap';
import { firstMissing, needsGpus, needsMpi } from '../helpers/require.js';
import { runOnGpus } from './gpu-run.js';

t.setTimeout(300_000);

const STRATEGIES = ['memcpy', 'memcpyBatch', 'kernel', 'staged', 'auto'];
const onTwoGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(2)) };

t.test(
  'rows say which strategy ran, in how many copies, and whether batches were merged',
  onTwoGpus,
  async (t) => {
    const job = { sweep: { seed: [1], strategy: STRATEGIES }, maxTransferBatchSize: 2, probe: true };
    const ended = await runOnGpus({ folder: t.testdir(), spec: { job } });
    t.equal(ended.status, 0, ended.stderr);
    for (const own of ended.rows) {
      for (const requested of STRATEGIES) {
        const rows = own.filter((row) => row['strategy_requested'] === requested);
        t.same(rows.map((row) => row['timing']).sort(), ['event', 'host'], requested);
        for (const row of rows) {
          t.match(row, { status: 'ok', device: 'cuda', wrong: '0', peak_source: 'contiguous pinned copy' });
          t.match(row, { batches_merged: requested === 'auto' ? 'yes' : 'no', copies: /^[1-9]\d*$/ });
          if (requested !== 'auto') t.equal(row['strategy_used'], requested);
          // 4 blocks of 2 layers x 2 regions, a call each.
          if (requested === 'memcpy') t.equal(row['copies'], '16');
        }
      }
    }
  },
);
