/**
 * `node dist/scripts/bench/transfer-gpu.js RUN_FOLDER OUTPUT CSV_FOLDER`: keeps figures of transfers between GPUs that were
 * measured elsewhere. RUN_FOLDER is a run of configs/bench/cuda-transfer-two.json, whose totals become
 * cuda-transfer-two.csv; OUTPUT is what `cuda_rank_transfer_test reshard` printed, and becomes cuda-transfer-reshard.csv.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { summaryRows } from './row.js';

const KEPT = {
  job: 'job_id',
  params: 'params',
  direction: 'direction',
  path: 'path',
  payload_bytes: 'payload_bytes',
  total_p50_us: 't_p50_us',
  all_ranks_GBps: 'aggregate_GBps',
  peak_source: 'peak_source',
  pct_of_peak: 'aggregate_pct_of_peak',
} as const;

function totalsOf(runFolder: string): Record<string, string>[] {
  const rows = summaryRows(runFolder);
  return rows
    .filter((row) => row['phase'] === 'total' && row['status'] === 'ok')
    .map((row) => Object.fromEntries(Object.entries(KEPT).map(([name, from]) => [name, row[from] ?? ''])));
}

const HEAD = /^(write|read), tensor parallel (\d) to (\d), (\d+) blocks/;
const FIGURES =
  /^rank (\d).* payload (\d+) pieces (\d+) post ([\d.]+) us wire ([\d.]+) us.* ([\d.]+) GB\/s, contiguous ([\d.]+)/;

/** Of the one rank that moves everything over its link: others share one, so that their figures hang on each other. */
function reshardRows(output: string): Record<string, string | number>[] {
  const rows: Record<string, string | number>[] = [];
  let head: RegExpExecArray | null = null;
  for (const line of output.split('\n')) {
    head = HEAD.exec(line) ?? head;
    const [, , payload, pieces, post, wire, GBps, contiguous] = FIGURES.exec(line) ?? [];
    if (head === null || payload === undefined || payload === '0') continue;
    const [, operation, sources, targets, blocks] = head;
    if ((operation === 'write' ? sources : targets) !== '1') continue;
    rows.push({
      operation: operation ?? '',
      tensor_parallel: `${sources}->${targets}`,
      thread_blocks: blocks ?? '',
      pieces: pieces ?? '',
      payload_bytes: payload,
      post_us: post ?? '',
      wire_us: wire ?? '',
      GBps: GBps ?? '',
      contiguous_GBps: contiguous ?? '',
      ratio: (Number(GBps) / Number(contiguous)).toFixed(3),
    });
  }
  return rows;
}

const [runFolder = '', output = '', csvFolder = ''] = process.argv.slice(2);
const keep = (name: string, rows: readonly object[]): void =>
  writeFileSync(join(csvFolder, name), stringify([...rows], { header: true }));
keep('cuda-transfer-two.csv', totalsOf(runFolder));
keep('cuda-transfer-reshard.csv', reshardRows(readFileSync(output, 'utf8')));
