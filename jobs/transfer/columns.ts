/** What rows of transfers say beyond the common columns. */
import { column, type ColumnName } from '../../runner/job/column.js';

export const transferColumns = [
  column(
    'blocks_moved',
    '',
    'Blocks, of the larger page size, that this rank sends to or receives from its peers in one iteration.',
    {
      type: 'integer',
    },
  ),
  column('transfer_peers', '', 'Ranks that this one writes to or reads from.', { type: 'integer' }),
  column('regions', '', 'Regions that the moves of this rank touch: (block, layer, outer).', {
    type: 'integer',
  }),
  column('pieces', '', 'Contiguous pieces of one iteration, adjacent ones merged.', { type: 'integer' }),
  column('path', '', 'Data path for each kind of peer of this rank, as named in the table of strategies.', {
    type: 'text',
  }),
  column('wire_bytes', 'bytes', 'Bytes of one iteration that left this rank, or its host, by wire_source.'),
  column(
    'wire_source',
    '',
    '`issued`: counted by the copies themselves, of this rank. `/proc/net/dev` or `port_xmit_data`: by counters of the ' +
      'kernel, of all ranks of the host together, headers and control plane included; if the network carries anything. ' +
      '`nvml nvlink data tx`: by the links of the GPU itself, what peers read from it included; between GPUs of one node.',
  ),
  column('register_us', 'us', 'Registration of storage and layouts.'),
  column('export_us', 'us', "Export of this rank's metadata."),
  column('import_us', 'us', 'Exchange and import of the metadata of all peers.'),
  column('connect_us', 'us', 'Mappings, connections and plans.'),
  column('metadata_bytes', 'bytes', "This rank's exported metadata."),
];

export type TransferColumn = ColumnName<typeof transferColumns>;
