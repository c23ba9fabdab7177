/** The CSV columns: name, unit, meaning. The header, results/README.md and the writer come from this list. */
import { column, type ColumnDefinition, type ColumnName } from '../job/column.js';

export type { Better, ColumnDefinition, ColumnType } from '../job/column.js';

/** Raised when the meaning of a column changes; a column that is added behind the others does not raise it. */
export const SCHEMA_VERSION = 2;

const WHICH_ROW = [
  column('schema_version', '', 'version of the meaning of these columns'),
  column('run_id', '', 'name of the run, and of its folder'),
  column('spec_digest', '', 'sha256 of the canonical text of the resolved spec, in hex'),
  column('job_id', '', "the job's `id` in the spec"),
  column('kind', '', "the job's `kind`"),
  column('point', '', 'number of the point over the whole run, from 0, in order of execution'),
  column('params', '', "canonical JSON of the swept keys with the point's values; {} if nothing is swept"),
  column(
    'phase',
    '',
    'part of the work that this row describes; empty if the point ended before any was known',
  ),
  column(
    'timing',
    '',
    '`host` (clock around the call), `event` (device time, cold) or `graph` (replay, back to back)',
  ),
  column('direction', '', 'from and to, for example `device->host`'),
] as const;

const WHERE = [
  column('rank', '', 'rank of this process in the world, from 0'),
  column('world_size', '', 'number of ranks'),
  column('node', '', "number of this rank's node, emulated nodes included"),
  column('local_rank', '', 'number of this rank in its node'),
  column('ranks_per_node', '', 'ranks per emulated node; empty if a node is a host'),
  column('hostname', '', 'name of the host'),
  column('device', '', '`host` or `cuda`; figures of different devices are never compared'),
  column('device_name', '', 'name that the device reports'),
  column('device_uuid', '', 'identity of the device'),
] as const;

const HOW_IT_ENDED = [
  column('status', '', '`ok`, `wrong`, `failed`, `timeout`, `skipped`, `idle` or `aborted`'),
  column('error_code', '', 'code from docs/errors.md; empty without an error'),
  column('error', '', 'error message'),
  column('warmup', '', 'warm-up iterations requested; never among the samples'),
  column('iterations', '', 'timed iterations requested; with `stopping` those taken'),
  column('iters_ok', '', 'timed iterations that ended and were recorded'),
  column('iters_timed_out', '', 'iterations that were in flight when the deadline of `measure` passed'),
] as const;

const BYTES = [
  column(
    'payload_bytes',
    'bytes',
    'useful bytes that this rank moves in one iteration; the bytes of algbw_GBps',
  ),
  column(
    'logical_bytes',
    'bytes',
    "MoE: bytes by DeepEP's formula, local selections included; the bytes of logbw_GBps",
  ),
  column('padded_bytes', 'bytes', 'bytes moved beyond the payload to fill sectors or slots'),
  column('bytes_self', 'bytes', 'bytes that stayed on this rank, as issued in one iteration'),
  column('bytes_ipc', 'bytes', 'bytes issued to peers of the same node through mapped memory'),
  column('bytes_network', 'bytes', 'bytes issued to peers over the network'),
  column('bytes_pcie', 'bytes', 'bytes issued between device and host memory'),
  column('bytes_disk', 'bytes', 'bytes issued to or from disk'),
] as const;

const PATHS = [
  column('strategy_requested', '', 'strategy that the spec requested'),
  column(
    'strategy_used',
    '',
    'strategy that ran; `a+b`: one for each direction, `a|b` in the summary: ranks differ',
  ),
  column('transport_requested', '', 'transport that the spec requested'),
  column('transport_used', '', 'transport that ran; `+` and `|` as in strategy_used'),
  column('network_transport', '', 'transport that UCX reports between nodes'),
  column('network_memory', '', 'memory that the network read and wrote: `device` or `host`'),
  column('disk_io', '', 'how the disk was driven, for example io_uring with O_DIRECT'),
] as const;

const TIMES = [
  column('t_min_us', 'us', 'shortest sample'),
  column('t_p50_us', 'us', 'median, nearest rank; the time of every bandwidth'),
  column('t_p95_us', 'us', '95th percentile, nearest rank; empty below 20 samples'),
  column('t_p99_us', 'us', '99th percentile, nearest rank; empty below 100 samples'),
  column('t_max_us', 'us', 'longest sample'),
  column('t_mean_us', 'us', 'arithmetic mean'),
  column('t_stdev_us', 'us', 'sample standard deviation (divisor n - 1); empty for one sample'),
  column(
    'entry_skew_us',
    'us',
    "median over samples of last minus first rank of the node through the sample's barrier",
  ),
  column('setup_us', 'us', 'time of the one-time setup of the point before the first iteration'),
  column(
    'overlap_pct',
    '%',
    'share of the shorter of two overlapping phases that was hidden behind the longer one',
  ),
] as const;

const BANDWIDTHS = [
  column('algbw_GBps', 'GB/s', 'payload_bytes / t_p50_us / 1000 (GB = 1e9 bytes)'),
  column('busbw_GBps', 'GB/s', 'algbw_GBps x the factor of nccl-tests; empty if that defines none'),
  column('logbw_GBps', 'GB/s', 'logical_bytes / t_p50_us / 1000'),
  column(
    'peak_GBps',
    'GB/s',
    'limit probed in the same run with the same ranks active in the same direction',
  ),
  column('peak_source', '', 'name of that probe'),
  column('pct_of_peak', '%', '100 x algbw_GBps / peak_GBps'),
] as const;

const CHECKS = [
  column(
    'checked',
    '',
    'words of 8 bytes compared after the last timed iteration (MoE: elements); empty if verification is off',
  ),
  column('wrong', '', 'of these, how many differed'),
  column('first_bad', '', 'place of the first wrong word, what was expected and what was found'),
  column('routing_digest', '', 'MoE: sha256 of the routing that all ranks used'),
  column('hung_rank', '', 'rank that hung, if known'),
  column('hung_stage', '', 'stage in which it hung'),
  column('started_at', '', 'UTC time at which the point started on this rank, ISO 8601'),
] as const;

const TRACKING = [
  column(
    'series',
    '',
    'digest of everything that identifies the measurement: resolved job, device, layout of the world; equal across runs; `s` and 16 hex digits',
  ),
  column('point_rows', '', 'rows of this point in this file; fewer exist if writing was cut short'),
  column(
    'peak_note',
    '',
    'if pct_of_peak is above 100: how often the limit was probed, and why it is exceeded',
  ),
  column(
    'stopped_by',
    '',
    'with `stopping`: why sampling stopped: `noise`, `maxIterations` or `maxSeconds`; empty: the number was fixed',
  ),
] as const;

/** The columns of every rank-NNNN.csv, in order. Append-only: trackers address them by name and by place. */
export const COMMON_COLUMNS = [
  ...WHICH_ROW,
  ...WHERE,
  ...HOW_IT_ENDED,
  ...BYTES,
  ...PATHS,
  ...TIMES,
  ...BANDWIDTHS,
  ...CHECKS,
  ...TRACKING,
] as const satisfies readonly ColumnDefinition[];

export type CommonColumn = ColumnName<typeof COMMON_COLUMNS>;

/** Titles for the generated page, with the columns below each. */
export const COLUMN_GROUPS: readonly {
  readonly title: string;
  readonly columns: readonly ColumnDefinition[];
}[] = [
  { title: 'Which row', columns: WHICH_ROW },
  { title: 'Where', columns: WHERE },
  { title: 'How it ended', columns: HOW_IT_ENDED },
  { title: 'Bytes', columns: BYTES },
  { title: 'Strategies and transports', columns: PATHS },
  { title: 'Times', columns: TIMES },
  { title: 'Bandwidths', columns: BANDWIDTHS },
  { title: 'Checks and hangs', columns: CHECKS },
  { title: 'Tracking', columns: TRACKING },
];

/** A kind as the writer sees it. */
export interface KindColumns {
  readonly kind: string;
  readonly columns: readonly ColumnDefinition[];
}

/**
 * The header of a run: the common columns, then those of the kinds that occur in its spec, in the order of the
 * registry. A name that two kinds share is listed once. Throws where a kind redefines a common column.
 */
export function columnsForKinds(
  registry: readonly KindColumns[],
  kindsInSpec: Iterable<string>,
): ColumnDefinition[] {
  const wanted = new Set(kindsInSpec);
  const columns: ColumnDefinition[] = [...COMMON_COLUMNS];
  const names = new Map(columns.map((entry) => [entry.name, 'every kind']));
  for (const { kind, columns: own } of registry) {
    if (!wanted.has(kind)) continue;
    for (const definition of own) {
      const owner = names.get(definition.name);
      if (owner === 'every kind') {
        throw new Error(`kind ${kind} defines the column ${definition.name}, which every row has: rename it`);
      }
      if (owner !== undefined) continue;
      names.set(definition.name, kind);
      columns.push(definition);
    }
  }
  return columns;
}
