/** What rows of offload and onboard say beyond the common columns; rows of broadcast leave them empty. */
import { column, type ColumnName } from '../../runner/job/column.js';

export const kvColumns = [
  column(
    'batches_merged',
    '',
    '`yes` where all batches were merged into one before they were copied, as `auto` does between a GPU and host memory; ' +
      '`no` where batches of maxTransferBatchSize blocks went on their own.',
  ),
  column('copies', '', 'Copy calls, kernels, spans or disk requests of one iteration.', { type: 'integer' }),
];

export type KvColumn = ColumnName<typeof kvColumns>;
