import t from 'tap';
import { COLUMN_GROUPS, COMMON_COLUMNS, columnsForKinds } from '../../../runner/results/columns.js';
import { SUMMARY_COLUMNS } from '../../../runner/results/summary-columns.js';

/** What trackers rely on. Append behind it; never change or reorder what stands here. */
const PUBLISHED = `
  schema_version run_id spec_digest job_id kind point params phase timing direction rank world_size node local_rank
  ranks_per_node hostname device device_name device_uuid
  status error_code error warmup iterations iters_ok iters_timed_out
  payload_bytes logical_bytes padded_bytes bytes_self bytes_ipc bytes_network bytes_pcie bytes_disk
  strategy_requested strategy_used transport_requested transport_used network_transport network_memory disk_io
  t_min_us t_p50_us t_p95_us t_p99_us t_max_us t_mean_us t_stdev_us entry_skew_us setup_us overlap_pct
  algbw_GBps busbw_GBps logbw_GBps peak_GBps peak_source pct_of_peak checked wrong first_bad routing_digest hung_rank
  hung_stage started_at series point_rows`
  .trim()
  .split(/\s+/);

const PUBLISHED_SUMMARY = `
  schema_version run_id spec_digest job_id kind point params phase timing direction world_size ranks_per_node device
  device_name warmup iterations strategy_requested strategy_used transport_requested transport_used network_transport
  network_memory disk_io peak_source routing_digest
  status error_code error error_rank ranks_reported ranks_measured hung_rank hung_stage started_at
  payload_bytes logical_bytes padded_bytes bytes_self bytes_ipc bytes_network bytes_pcie bytes_disk
  t_min_us t_p50_us t_p95_us t_p99_us t_max_us t_mean_us t_stdev_us rank_mean_p50_us rank_mean_mean_us entry_skew_max_us
  rank_p50_min_us rank_p50_min_rank rank_p50_max_us rank_p50_max_rank
  algbw_min_GBps algbw_min_rank algbw_max_GBps algbw_max_rank busbw_min_GBps busbw_min_rank busbw_max_GBps busbw_max_rank
  logbw_min_GBps logbw_min_rank logbw_max_GBps logbw_max_rank pct_of_peak_min pct_of_peak_min_rank pct_of_peak_max
  pct_of_peak_max_rank
  spread_us spread_pct slowest_rank slowest_share_pct aggregate_GBps aggregate_logbw_GBps aggregate_peak_GBps
  aggregate_pct_of_peak checked wrong wrong_ranks first_bad series point_rows noise_pct`
  .trim()
  .split(/\s+/);

const names = (columns: readonly { name: string }[]): string[] => columns.map((column) => column.name);

t.test('published columns keep their name and place', async (t) => {
  t.same(names(COMMON_COLUMNS).slice(0, PUBLISHED.length), PUBLISHED);
  t.same(names(SUMMARY_COLUMNS).slice(0, PUBLISHED_SUMMARY.length), PUBLISHED_SUMMARY);
});

t.test('every column is named once, says what it means, and has its unit last', async (t) => {
  const suffixes: Record<string, string> = { us: '_us', '%': '_pct', 'GB/s': '_GBps' };
  for (const columns of [COMMON_COLUMNS, SUMMARY_COLUMNS]) {
    t.equal(new Set(names(columns)).size, columns.length);
    for (const { name, unit, meaning } of columns) {
      t.match(name, /^[a-z][a-z0-9_]*(_GBps)?$/);
      t.ok(meaning.length > 3, name);
      const suffix = suffixes[unit];
      if (suffix !== undefined && !name.includes('pct_of_peak'))
        t.ok(name.endsWith(suffix), `${name} is in ${unit}`);
    }
  }
  t.same(
    COLUMN_GROUPS.flatMap((group) => names(group.columns)),
    names(COMMON_COLUMNS),
    'the page shows all of them',
  );
});

const own = (name: string) => ({ name, unit: '', meaning: 'of a kind' }) as const;

t.test("a run's header: common columns, then those of its kinds in the registry's order", async (t) => {
  const registry = [
    { kind: 'a', columns: [own('depth'), own('shared')] },
    { kind: 'b', columns: [own('width')] },
    { kind: 'c', columns: [own('shared'), own('height')] },
  ];
  const added = (kinds: string[]): string[] =>
    names(columnsForKinds(registry, kinds)).slice(COMMON_COLUMNS.length);
  t.same(added(['c', 'a', 'c']), ['depth', 'shared', 'height']);
  t.same(added([]), []);
  t.throws(() => columnsForKinds([{ kind: 'a', columns: [own('rank')] }], ['a']), /kind a .* rank/);
});
