/** What rows of a replay say beyond the common columns. Counts are of prefix blocks, and the same on every rank. */
import { column, type ColumnName } from '../../runner/job/column.js';

const count = <const Name extends string>(name: Name, meaning: string) =>
  column(name, '', meaning, { type: 'integer' });

export const replayColumns = [
  count('requests', 'Requests of the row; of phase onboard, those that loaded something.'),
  column('request_range', '', 'First and last request of a window, counted from the first request read.', {
    type: 'text',
  }),
  count('prefix_blocks', 'Blocks of these requests.'),
  count('hits_device', 'Blocks found in the device, without a gap from the first block of their request on.'),
  count('hits_host', 'The same in the host.'),
  count('hits_disk', 'The same on disk.'),
  count('misses', 'Blocks recomputed.'),
  column('hit_pct', '%', '100 x (hits_device + hits_host + hits_disk) / prefix_blocks.', {
    better: 'larger',
  }),
  count('offloads_host', 'Blocks copied into the host.'),
  count('offloads_disk', 'Blocks copied to disk.'),
  count('evictions_device', 'Blocks evicted from the device.'),
  count('evictions_host', 'Blocks evicted from the host.'),
  count('evictions_disk', 'Blocks evicted from the disk.'),
  count('not_kept', 'Blocks of requests larger than the device, which no tier keeps.'),
  count('not_offloaded', 'Blocks evicted from the device that the tier below did not admit.'),
  count('copied_blocks', 'phase copy: blocks that this rank copied in the direction of the row.'),
  count(
    'failed_blocks',
    'Blocks that were computed because their load failed on this rank, and blocks lost by a failed copy.',
  ),
  count('late', 'Requests that began more than 1 ms after they were due.'),
  column(
    'queue_depth_mean',
    '',
    'Mean number of requests that had arrived and not ended when one began, including itself.',
    {
      type: 'number',
    },
  ),
  count('queue_depth_max', 'The same: maximum.'),
  column(
    'stall_us',
    'us',
    'Sum over requests of the time in which loads waited for the slots that offloads freed.',
  ),
  column(
    'busy_pct',
    '%',
    'phase copy: share of the time of the replay in which this rank copied in that direction.',
    {
      better: null,
    },
  ),
  column(
    'bottleneck',
    '',
    'Direction in which this rank copied longest, with its share of the time of the replay; empty if nothing was copied.',
    { type: 'text' },
  ),
  column('fill_us', 'us', 'Time in which blocks were recomputed, with the clock of the replay stopped.'),
  column('check_us', 'us', 'Time in which hits were compared, with the clock of the replay stopped.'),
  column(
    'load_setup_us',
    'us',
    'Mode replicated: time in which the ranks agreed on shared loads and planned them, with the clock stopped.',
  ),
  column(
    'leader_us_per_block',
    'us',
    'Time per prefix block in which rank 0 reads, decides and distributes.',
  ),
  column('hit_rates', '', 'Hits by tier in words, for the table at the end.', { type: 'text', below: true }),
];

export type ReplayColumn = ColumnName<typeof replayColumns>;
