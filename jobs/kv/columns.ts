/** What rows of these kinds say beyond the common columns: the first two of offload and onboard, the last of the others. */
import { column, type ColumnName } from '../../runner/job/column.js';

export const kvColumns = [
  column(
    'batches_merged',
    '',
    '`yes` where all batches were merged into one before they were copied, as `auto` does between a GPU and host memory; ' +
      '`no` where batches of maxTransferBatchSize blocks went on their own.',
  ),
  column('copies', '', 'Copy calls, kernels, spans or disk requests of one iteration.', { type: 'integer' }),
  column(
    'collective_library',
    '',
    'The NCCL that ran the collectives of replicated points: version and file. Empty where none did.',
  ),
];

export type KvColumn = ColumnName<typeof kvColumns>;
