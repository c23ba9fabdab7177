/** Variables of the KV block manager that is followed here; hosts that serve models may have them set. */
import type { EnvironmentKey } from '../../runner/job-spec/spec-kind.js';

export const kvEnvironmentKeys: readonly EnvironmentKey[] = [
  {
    name: 'DYN_KVBM_MAX_TRANSFER_BATCH_SIZE',
    key: 'maxTransferBatchSize',
    range: [1, 65536],
    meaning: 'blocks in one batch of copies',
  },
  {
    name: 'DYN_KVBM_MAX_CONCURRENT_TRANSFERS',
    key: 'maxConcurrentTransfers',
    range: [1, 1024],
    meaning: 'batches in flight at a time',
  },
  {
    name: 'DYN_KVBM_NCCL_MAX_CTAS',
    key: 'maxCtas',
    range: [1, 64],
    meaning: 'most thread blocks that an NCCL collective may take',
  },
];
