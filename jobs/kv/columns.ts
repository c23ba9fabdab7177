/** What rows of offload and onboard say beyond the common columns; rows of broadcast leave them empty. */
import type { ColumnDefinition } from '../../runner/results/columns.js';

export const kvColumns: readonly ColumnDefinition[] = [
  {
    name: 'batches_merged',
    unit: '',
    meaning:
      '`yes` where all batches were made one before they were copied, as `auto` does between a GPU and host memory; ' +
      '`no` where batches of maxTransferBatchSize blocks went on their own.',
  },
  {
    name: 'copies',
    unit: '',
    type: 'integer',
    meaning: 'Copy calls, kernels, spans or disk requests of one iteration.',
  },
];
