/** The columns of summary.csv: one row per point, phase, timing and direction, over all ranks. Append-only. */
import { column, type ColumnDefinition, type ColumnName, type Unit } from '../job/column.js';
import { present } from '../values/items.js';
import { COMMON_COLUMNS, type CommonColumn } from './columns.js';

/** Columns of the rank rows whose values all ranks share, under the same names. */
const POINT_COLUMN_NAMES = [
  'schema_version',
  'run_id',
  'spec_digest',
  'job_id',
  'kind',
  'point',
  'params',
  'phase',
  'timing',
  'direction',
  'world_size',
  'ranks_per_node',
  'device',
  'device_name',
  'warmup',
  'iterations',
  'strategy_requested',
  'strategy_used',
  'transport_requested',
  'transport_used',
  'network_transport',
  'network_memory',
  'disk_io',
  'peak_source',
  'routing_digest',
] as const;

/** Point columns of schema version 2, behind the others. */
const TRACKING_COLUMN_NAMES = ['series', 'point_rows'] as const;

const commonColumns = (names: readonly CommonColumn[]) =>
  names.map((name) =>
    present(
      COMMON_COLUMNS.find((entry) => entry.name === name),
      name,
    ),
  );

const POINT_COLUMNS = commonColumns(POINT_COLUMN_NAMES);
const TRACKING = [
  ...commonColumns(TRACKING_COLUMN_NAMES),
  column('noise_pct', '%', '100 x t_stdev_us / t_mean_us: how much the iterations of this run vary'),
  ...commonColumns(['peak_note', 'stopped_by']),
  column(
    'median_noise_pct',
    '%',
    'half width of a 95 % confidence interval of t_p50_us, as a share of it (docs/measuring.md); empty below 16 samples',
  ),
];

const HOW_IT_ENDED = [
  column(
    'status',
    '',
    'the worst status of any rank: aborted, timeout, failed, wrong, skipped, ok, idle in this order',
  ),
  column('error_code', '', 'of the lowest rank with that status that was itself the cause'),
  column('error', '', 'of the same rank'),
  column('error_rank', '', 'that rank; empty where the status is ok or idle'),
  column('ranks_reported', '', 'ranks whose rows reached rank 0; below world_size if a rank died'),
  column('ranks_measured', '', 'ranks with times: neither idle nor failed'),
  column('hung_rank', '', 'rank that hung, if known'),
  column('hung_stage', '', 'stage in which it hung'),
  column('started_at', '', 'earliest start of the point on any rank, UTC, ISO 8601'),
];

/** Columns of the rank rows that the summary holds as sums over ranks. */
const BYTE_COLUMN_NAMES = [
  'payload_bytes',
  'logical_bytes',
  'padded_bytes',
  'bytes_self',
  'bytes_ipc',
  'bytes_network',
  'bytes_pcie',
  'bytes_disk',
] as const;

const BYTES = BYTE_COLUMN_NAMES.map((name) => column(name, 'bytes', `sum over ranks of ${name}`));

const OF_COMPLETION = 'completion time: maximum over ranks of each iteration';

const COMPLETION = [
  column('t_min_us', 'us', `shortest ${OF_COMPLETION}`),
  column('t_p50_us', 'us', `median, nearest rank, of the ${OF_COMPLETION}`),
  column('t_p95_us', 'us', '95th percentile of the completion time; empty below 20 samples'),
  column('t_p99_us', 'us', '99th percentile of the completion time; empty below 100 samples'),
  column('t_max_us', 'us', `longest ${OF_COMPLETION}`),
  column('t_mean_us', 'us', 'mean over iterations of the completion time'),
  column('t_stdev_us', 'us', 'sample standard deviation of the completion time'),
  column('rank_mean_p50_us', 'us', 'median over iterations of the mean over ranks'),
  column(
    'rank_mean_mean_us',
    'us',
    'mean over iterations of the mean over ranks (how expert-parallel peers report)',
  ),
  column('entry_skew_max_us', 'us', 'largest entry_skew_us of any rank'),
];

/** Names of the columns that hold the smallest and the largest of a rank column, each with its rank. */
const extreme = <const Of extends CommonColumn, const Stem extends string, const Suffix extends string>(
  of: Of,
  stem: Stem,
  suffix: Suffix,
  unit: Unit,
) =>
  ({
    of,
    unit,
    min: `${stem}_min${suffix}`,
    minRank: `${stem}_min_rank`,
    max: `${stem}_max${suffix}`,
    maxRank: `${stem}_max_rank`,
  }) as const;

/** Rank columns of which the summary holds the smallest and the largest, each with its rank. */
export const EXTREMES = [
  extreme('t_p50_us', 'rank_p50', '_us', 'us'),
  extreme('algbw_GBps', 'algbw', '_GBps', 'GB/s'),
  extreme('busbw_GBps', 'busbw', '_GBps', 'GB/s'),
  extreme('logbw_GBps', 'logbw', '_GBps', 'GB/s'),
  extreme('pct_of_peak', 'pct_of_peak', '', '%'),
] as const;

const RANGES = EXTREMES.flatMap(({ of, unit, min, minRank, max, maxRank }) => [
  column(min, unit, `smallest ${of} of any rank`),
  column(minRank, '', 'that rank'),
  column(max, unit, `largest ${of} of any rank`),
  column(maxRank, '', 'that rank'),
]);

const TOGETHER = [
  column('spread_us', 'us', 'rank_p50_max_us - rank_p50_min_us'),
  column('spread_pct', '%', '100 x spread_us / rank_p50_min_us'),
  column('slowest_rank', '', 'rank that finished last most often; the lowest of several'),
  column('slowest_share_pct', '%', 'share of the iterations in which it finished last'),
  column(
    'aggregate_GBps',
    'GB/s',
    'payload_bytes / span / 1000; span: median over iterations of completion time plus entry skew',
  ),
  column('aggregate_logbw_GBps', 'GB/s', 'logical_bytes / span / 1000'),
  column('aggregate_peak_GBps', 'GB/s', 'sum over the measured ranks of peak_GBps; empty where one has none'),
  column(
    'aggregate_pct_of_peak',
    '%',
    '100 x (payload_bytes / t_p50_us / 1000) / aggregate_peak_GBps: both without entry skew',
  ),
  column('checked', '', 'sum over ranks'),
  column('wrong', '', 'sum over ranks'),
  column('wrong_ranks', '', 'number of ranks with wrong data'),
  column('first_bad', '', 'of the lowest rank with wrong data'),
];

export const SUMMARY_COLUMNS: readonly ColumnDefinition[] = [
  ...POINT_COLUMNS,
  ...HOW_IT_ENDED,
  ...BYTES,
  ...COMPLETION,
  ...RANGES,
  ...TOGETHER,
  ...TRACKING,
];

export const SUMMARY_POINT_COLUMN_NAMES = [
  ...POINT_COLUMN_NAMES,
  'series',
  'peak_note',
  'stopped_by',
] as const;
export const SUMMARY_BYTE_COLUMN_NAMES = BYTE_COLUMN_NAMES;

export type SummaryColumn =
  | (typeof SUMMARY_POINT_COLUMN_NAMES)[number]
  | (typeof BYTE_COLUMN_NAMES)[number]
  | ColumnName<typeof RANGES>
  | ColumnName<typeof HOW_IT_ENDED>
  | ColumnName<typeof COMPLETION>
  | ColumnName<typeof TOGETHER>
  | 'point_rows'
  | 'noise_pct'
  | 'median_noise_pct';
