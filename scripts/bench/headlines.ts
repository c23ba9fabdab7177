/** The headline figures of docs/performance.md: each is computed from the committed CSV, none is typed by hand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { milliseconds, number, share, times, type Headline } from './headline.js';
import { median } from './median.js';
import { alltoallv, exchangeHeadline, highAlltoallv, highHeadline, nodesHeadline } from './moe-headlines.js';
import { pick } from './pick-row.js';
import type { Row } from './row.js';

function replicated(strategy: string, maxCtas: number | 'uncapped'): (rows: readonly Row[]) => Row {
  return (rows) =>
    pick(rows, { job_id: 'host-1g', phase: 'total', strategy_requested: strategy, params: { maxCtas } });
}

function replicatedHeadline(maxCtas: number | 'uncapped', caps: string): Headline {
  const [best, baseline] = [replicated('scatterAllgather', maxCtas), replicated('rootBroadcast', maxCtas)];
  return {
    what: `1 GiB from one rank's host memory to 4 GPUs, \`scatterAllgather\`, ${caps}`,
    table: 'replicated',
    page: 'replicated-gpu',
    figure: (rows) => milliseconds(best(rows)),
    ratio: (rows) => `${times(best(rows), baseline(rows))} \`rootBroadcast\``,
  };
}

/** The figures are a CSV that holds the ratios: by events, as the raw loop is timed. */
function ipcHeadline(job: string, size: string, maxCtas: string, caps: string): Headline {
  const row = (rows: readonly Row[]): Row => pick(rows, { job, maxCtas, strategy: 'ipc' });
  return {
    what: `${size} from one GPU to another, \`ipc\`, ${caps}`,
    table: 'replicated-ipc',
    page: 'replicated-gpu',
    figure: (rows) => `${(number(row(rows), 'broadcast us (events)') / 1000).toFixed(2)} ms`,
    ratio: (rows) => `${number(row(rows), 'events / loop').toFixed(2)} x the raw \`ncclBroadcast\` loop`,
  };
}

/** Regions of a layer, scattered on both sides. A region is a page of `innerDim` elements of 2 bytes. */
function copyHeadline(
  kind: 'offload' | 'onboard',
  regionBytes: number,
  bidirectional: boolean,
  what: string,
): Headline {
  const params = {
    'layout.kind': 'layerSeparate',
    'hostLayout.kind': 'layerSeparate',
    'layout.innerDim': regionBytes / (32 * 2),
    bidirectional,
  };
  const row = (rows: readonly Row[]): Row =>
    pick(rows, { kind, phase: 'total', timing: 'event', strategy_requested: 'auto', params });
  return {
    what: `One GPU, ${what}, \`auto\``,
    table: 'cuda-kv',
    page: 'kv-gpu',
    figure: (rows) => `${number(row(rows), 'aggregate_GBps').toFixed(1)} GB/s`,
    ratio: (rows) => `${share(row(rows))} of the contiguous pinned copy`,
  };
}

function diskHeadline(table: string, page: string, job: string, where: string, params: object): Headline {
  const row = (rows: readonly Row[]): Row =>
    pick(rows, { job_id: job, phase: 'total', strategy_requested: 'auto', params: { ...params } });
  return {
    what: `${where}, ${job === 'to-disk' ? 'device to disk' : 'disk to device'}, \`auto\``,
    table,
    page,
    figure: (rows) => `${number(row(rows), 'aggregate_GBps').toFixed(2)} GB/s`,
    ratio: (rows) => `${share(row(rows))} of a bare loop of the same requests`,
  };
}

function mixedBlockHeadline(model: string, name: string, direction: string): Headline {
  const timesOf = (rows: readonly Row[], column: string): number =>
    median(
      rows
        .filter((row) => row['model'] === model && row['direction'] === direction)
        .filter((row) => row['layout'] === 'fullyContiguous' && row['timing'] === 'event')
        .map((row) => Number(row[column])),
    );
  return {
    what: `One GPU, blocks of ${name}, ${direction}, \`auto\``,
    table: 'cuda-kv-groups',
    page: 'kv-gpu',
    figure: (rows) => `${(timesOf(rows, 'mixed_us') / 1000).toFixed(2)} ms`,
    ratio: (rows) =>
      `${(timesOf(rows, 'uniform_us') / timesOf(rows, 'mixed_us')).toFixed(2)} of the speed of a uniform block`,
  };
}

const noise: Headline = {
  what: 'One build against itself on 4 GPUs, all kinds of jobs (`railrunner ab`)',
  table: 'gpu-noise',
  page: 'noise',
  figure: (rows) => `${rows.filter((row) => row['verdict'] === 'equal').length} of ${rows.length} keys equal`,
  ratio: (rows) => `${rows.filter((row) => row['verdict'] === 'regressed').length} accused`,
};

const QUEUE = { disk: { queueDepth: 32, requestBytes: 1_048_576 } };

function replayHeadline(job: string): Headline {
  return {
    what: `12,031 requests (288,500 blocks) of the conversation trace on 2 GPUs, ${job}`,
    table: 'cuda-replay',
    page: 'replay-gpu',
    figure: (rows) => `${(number(pick(rows, { job, phase: 'replay' }), 'p50_us') / 1e6).toFixed(1)} s`,
    ratio: (rows) => {
      const copy = pick(rows, { job, phase: 'copy', direction: 'device->host' });
      const ratio = (number(copy, 'pct_of_peak_over_the_whole') / 100).toFixed(2);
      return `device to host at ${ratio} of the contiguous pinned copy`;
    },
  };
}

export const HEADLINES: readonly Headline[] = [
  replicatedHeadline('uncapped', 'thread blocks uncapped'),
  replicatedHeadline(8, 'at most 8 thread blocks'),
  ipcHeadline('device-256m', '256 MiB', 'uncapped', 'NCCL uncapped'),
  ipcHeadline('device-1g', '1 GiB', '8', 'NCCL with 8 thread blocks'),
  copyHeadline('offload', 65_536, false, '64 KiB regions scattered on both sides, device to host'),
  copyHeadline('onboard', 65_536, false, '64 KiB regions scattered on both sides, host to device'),
  copyHeadline('offload', 4096, false, '4 KiB regions scattered on both sides, device to host'),
  copyHeadline('offload', 65_536, true, '64 KiB regions scattered, both directions at once'),
  copyHeadline('offload', 4096, true, '4 KiB regions scattered, both directions at once'),
  ...['sharded', 'replicated'].map(replayHeadline),
  diskHeadline('cuda-disk', 'disk', 'to-disk', 'One GPU', {}),
  diskHeadline('cuda-disk', 'disk', 'from-disk', 'One GPU', {}),
  exchangeHeadline('dispatch', 'bf16', 128),
  exchangeHeadline('dispatch', 'fp8_e4m3', 128),
  exchangeHeadline('combine', 'bf16', 128),
  exchangeHeadline('dispatch', 'bf16', 1),
  highHeadline('dispatch', 'rank', { dispatchDtype: 'bf16', smCount: 16 }, 'allGather'),
  highHeadline('dispatch', 'rank', { dispatchDtype: 'bf16', smCount: 16 }, 'sparse'),
  highHeadline('dispatch', 'rank', { dispatchDtype: 'fp8_e4m3', smCount: 16 }, 'sparse'),
  highHeadline('combine', 'rank', { dispatchDtype: 'bf16', smCount: 16 }, 'sparse'),
  highHeadline('dispatch', 'expert', { dispatchDtype: 'bf16', smCount: 64 }, 'sparse'),
  highHeadline('combine', 'expert', { dispatchDtype: 'bf16', smCount: 64 }, 'sparse'),
  nodesHeadline('dispatch'),
  nodesHeadline('combine'),
  mixedBlockHeadline('gemma', 'Gemma-3-27B (full and window layers)', 'device->host'),
  mixedBlockHeadline('v32', 'DeepSeek-V3.2 (latent and index)', 'host->device'),
  noise,
  alltoallv('1'),
  alltoallv('32'),
  alltoallv('128'),
  highAlltoallv('512'),
  highAlltoallv('4096'),
  diskHeadline('host-disk', 'disk', 'to-disk', 'Host device', QUEUE),
  diskHeadline('host-disk', 'disk', 'from-disk', 'Host device', QUEUE),
];

export interface Provenance {
  readonly machine: string;
  readonly date: string;
  readonly commit: string;
}

/** Head and lines of the headline table. Throws where a CSV, a row or a provenance is missing. */
export function headlineLines(
  benchFolder: string,
  provenance: Readonly<Record<string, Provenance>>,
): { head: readonly string[]; lines: string[][] } {
  const lines = HEADLINES.map(({ what, table, page, figure, ratio }) => {
    const rows = parse(readFileSync(join(benchFolder, `${table}.csv`), 'utf8'), { columns: true }) as Row[];
    const made = provenance[table];
    if (made === undefined) throw new Error(`headline: docs/bench/provenance.json has no entry for ${table}`);
    const machine = made.machine.split(',')[0] ?? '';
    return [
      what,
      figure(rows),
      ratio(rows),
      machine,
      `${made.date}, ${made.commit}`,
      `[${page}](bench/${page}.md)`,
    ];
  });
  return { head: ['what', 'figure', 'against, same run', 'machine', 'measured', 'all rows'], lines };
}
