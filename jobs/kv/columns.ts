/** What rows of these kinds say beyond the common columns: copies of offload and onboard, the library of the others. */
import { column, type ColumnName } from '../../runner/job/column.js';

export const kvColumns = [
  column(
    'batches_merged',
    '',
    '`yes` if all batches were merged into one before copying, as `auto` does between a GPU and host memory; `no` if batches of maxTransferBatchSize blocks were copied separately.',
  ),
  column('copies', '', 'Copy calls, kernels, spans or disk requests of one iteration.', { type: 'integer' }),
  column(
    'geometry',
    '',
    'Content of a block: layers of each group, its window, KV heads and head sizes on a rank; of a layout without ' +
      'groups layers, outerDim and innerDim.',
    { type: 'text', below: true },
  ),
  column(
    'handed_on_by',
    '',
    'What passed blocks on between GPUs of replicated points with strategy `ipc`: `copyEngine` or `kernel`. Empty for others.',
  ),
  column(
    'collective_library',
    '',
    'The NCCL that ran the collectives of replicated points: version and file; empty otherwise.',
  ),
];

export type KvColumn = ColumnName<typeof kvColumns>;
