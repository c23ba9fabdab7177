/** How a spec's copies are made, as every transfer of blocks takes it. */
import type { PointContext } from '../../runner/job/context.js';
import type { TransferOptions } from '../../runner/native/types/index.js';
import { threadsOfRank } from './pools.js';
import type { KvSpec } from './spec.generated.js';

/** Thread blocks of copy kernels: what a spec caps are those that hand blocks on to other ranks. */
export const COPY_CTAS = 8;

/** All but strategy and thread blocks, which mean something else where a collective hands blocks on. */
export function batchingOf(
  spec: KvSpec,
  context: PointContext,
): Omit<TransferOptions, 'lanes' | 'strategy' | 'maxCtas' | 'faults'> {
  return {
    maxTransferBatchSize: spec.maxTransferBatchSize,
    maxConcurrentTransfers: spec.maxConcurrentTransfers,
    chunkBytes: spec.chunkBytes === 'auto' ? 0 : spec.chunkBytes,
    queueDepth: spec.disk.queueDepth,
    requestBytes: spec.disk.requestBytes,
    threads: threadsOfRank(context),
  };
}
