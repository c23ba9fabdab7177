/** One rank of the test of block transfer requests: node request-rank.js FOLDER. Rank 0 leads; pools are buffers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveRequests, RequestLeader } from '../../../jobs/transfer/requests/channel.js';
import {
  encodeRequest,
  type BlockTransferRequest,
  type PoolName,
} from '../../../jobs/transfer/requests/message.js';
import { TransferScheduler } from '../../../jobs/transfer/requests/scheduler.js';
import { TransferWorker } from '../../../jobs/transfer/requests/worker.js';
import { openWorld } from '../../../runner/world/world.js';

const LIMIT_MS = 60_000;
const BLOCK_BYTES = 64;
const NUM_BLOCKS = 40;

const world = await openWorld({ ranksPerNode: 0, timeoutMs: LIMIT_MS });
const { rank } = world.info;
const pools: Partial<Record<PoolName, Buffer>> = {
  Device: Buffer.from(
    Array.from({ length: NUM_BLOCKS * BLOCK_BYTES }, (_, at) => Math.floor(at / BLOCK_BYTES) + rank),
  ),
  Host: Buffer.alloc(NUM_BLOCKS * BLOCK_BYTES),
};
const batches: number[] = [];
const scheduler = new TransferScheduler();
const worker = new TransferWorker({
  mode: 'sharded',
  capacities: { Device: NUM_BLOCKS, Host: NUM_BLOCKS },
  maxTransferBatchSize: 16,
  maxConcurrentTransfers: 4,
  scheduler,
  scheduleTimeoutMs: LIMIT_MS,
  mover: {
    move: async (from, to, blocks) => {
      batches.push(blocks.length);
      // The last rank cannot onboard.
      if (from === 'Host' && rank === world.info.worldSize - 1) throw new Error('the copy failed');
      for (const [source, target] of blocks) {
        pools[from]?.copy(
          pools[to] as Buffer,
          target * BLOCK_BYTES,
          source * BLOCK_BYTES,
          (source + 1) * BLOCK_BYTES,
        );
      }
    },
  },
});
scheduler.enqueue('scheduled');
if (rank === 1) scheduler.cancel('cancelled');

if (rank === 0) {
  const leader = new RequestLeader(world.native, worker);
  const reversed = Array.from({ length: NUM_BLOCKS }, (_, id): [number, number] => [id, NUM_BLOCKS - 1 - id]);
  const offload: BlockTransferRequest = { from_pool: 'Device', to_pool: 'Host', blocks: reversed };
  const connected = (uuid: string, request_type: 'immediate' | 'scheduled'): BlockTransferRequest => ({
    from_pool: 'Device',
    to_pool: 'Host',
    blocks: [],
    connector_req: { request_id: 'sequence', uuid, request_type },
  });
  const results = await leader.send([offload, connected('scheduled', 'scheduled')], LIMIT_MS);
  results.push(...(await leader.send([connected('cancelled', 'immediate')], LIMIT_MS)));
  const broken = { ...encodeRequest(100, offload), frames: ['{"from_pool":'] };
  results.push(...(await leader.sendMessages([broken], LIMIT_MS)));
  results.push(
    ...(await leader.send([{ from_pool: 'Host', to_pool: 'Device', blocks: [[0, 1]] }], LIMIT_MS)),
  );
  await leader.close(LIMIT_MS);
  writeFileSync(join(process.argv[2] ?? '.', 'results.json'), JSON.stringify(results));
} else {
  await serveRequests(world.native, worker, LIMIT_MS);
}
const host = [...(pools.Host ?? [])].filter((_, at) => at % BLOCK_BYTES === BLOCK_BYTES - 1);
writeFileSync(join(process.argv[2] ?? '.', `rank-${rank}.json`), JSON.stringify({ rank, host, batches }));
await world.native.finalize(LIMIT_MS);
