/**
 * `node dist/scripts/bench/replay-gpu.js CSV RUN_FOLDER...`: keeps figures of replays that were measured elsewhere, by
 * configs/bench/cuda-replay.json. All rows of their summaries; of copies also the share of the probed limit that their
 * direction had over the whole replay, in which it may have stood still.
 */
import { writeFileSync } from 'node:fs';
import { stringify } from 'csv-stringify/sync';
import { summaryRows } from './row.js';

const KEPT = {
  job: 'job_id',
  phase: 'phase',
  direction: 'direction',
  requests: 'requests',
  p50_us: 't_p50_us',
  p95_us: 't_p95_us',
  p99_us: 't_p99_us',
  copied_blocks: 'copied_blocks',
  all_ranks_GBps: 'aggregate_GBps',
  pct_of_peak: 'aggregate_pct_of_peak',
  hits_device: 'hits_device',
  hits_host: 'hits_host',
  misses: 'misses',
  leader_us_per_block: 'leader_us_per_block',
  checked: 'checked',
  wrong: 'wrong',
  strategy_used: 'strategy_used',
} as const;

function rowsOf(runFolder: string): Record<string, string>[] {
  const rows = summaryRows(runFolder);
  return rows.map((row) => {
    const kept = Object.entries(KEPT).map(([name, from]): [string, string] => [name, row[from] ?? '']);
    const whole = rows.find(({ job_id, phase }) => job_id === row['job_id'] && phase === 'replay');
    const share =
      row['phase'] === 'copy' && row['aggregate_pct_of_peak'] && whole
        ? (
            (Number(row['aggregate_pct_of_peak']) * Number(row['t_p50_us'])) /
            Number(whole['t_p50_us'])
          ).toFixed(1)
        : '';
    kept.splice(Object.keys(KEPT).indexOf('pct_of_peak') + 1, 0, ['pct_of_peak_over_the_whole', share]);
    return Object.fromEntries(kept);
  });
}

const [csvPath, ...runFolders] = process.argv.slice(2);
if (csvPath === undefined || runFolders.length === 0)
  throw new Error('usage: replay-gpu.js CSV RUN_FOLDER...');
writeFileSync(csvPath, stringify(runFolders.flatMap(rowsOf), { header: true }));
