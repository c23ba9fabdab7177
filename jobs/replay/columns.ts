/** What rows of a replay say beyond the common columns. Counts are of prefix blocks, and the same on every rank. */
import { column, type ColumnName } from '../../runner/job/column.js';

const count = <const Name extends string>(name: Name, meaning: string) =>
  column(name, '', meaning, { type: 'integer' });

export const replayColumns = [
  count('requests', 'Requests of the row; of phase onboard, those that loaded something.'),
  column('request_range', '', 'First and last request of a window, counted from the first that was taken.', {
    type: 'text',
  }),
  count('prefix_blocks', 'Blocks of these requests.'),
  count('hits_device', 'Blocks found in the device, from the head of their request without a gap.'),
  count('hits_host', 'The same in the host.'),
  count('hits_disk', 'The same on disk.'),
  count('misses', 'Blocks recomputed.'),
  column('hit_pct', '%', '100 x (hits_device + hits_host + hits_disk) / prefix_blocks.', {
    better: 'larger',
  }),
  count('offloads_host', 'Blocks copied into the host.'),
  count('offloads_disk', 'Blocks copied to disk.'),
  count('evictions_device', 'Blocks that left the device.'),
  count('evictions_host', 'Blocks that left the host.'),
  count('evictions_disk', 'Blocks that left the disk.'),
  count('not_kept', 'Blocks of requests larger than the device, which nothing keeps.'),
  count('not_offloaded', 'Blocks that left the device and that the tier below did not take.'),
  count('copied_blocks', 'phase copy: blocks that this rank copied in the direction of the row.'),
  count(
    'failed_blocks',
    'Loads that failed on this rank and were computed instead, and copies that left nothing to rely on.',
  ),
  count('late', 'Requests that began more than 1 ms after they were due.'),
  column(
    'queue_depth_mean',
    '',
    'Requests that had arrived and not ended when one began, itself included: mean.',
    {
      type: 'number',
    },
  ),
  count('queue_depth_max', 'The same: most.'),
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
    'Direction in which this rank copied longest, with its share of the time of the replay; empty where nothing was copied.',
    { type: 'text' },
  ),
  column('fill_us', 'us', 'Time in which blocks were recomputed, with the clock of the replay stopped.'),
  column('check_us', 'us', 'Time in which hits were compared. The clock of the replay stood still.'),
  column(
    'load_setup_us',
    'us',
    'Mode replicated: time in which the ranks agreed on shared loads and planned them. The clock stood still.',
  ),
  column('leader_us_per_block', 'us', 'Reading, deciding and handing out on rank 0, for each prefix block.'),
  column('hit_rates', '', 'Hits by tier in words, for the table at the end.', { type: 'text', below: true }),
];

export type ReplayColumn = ColumnName<typeof replayColumns>;
