/** From what was served to the rows of a rank. */
import type { Measured, Peak } from '../../runner/job/measurement.js';
import type { CacheCounts } from '../cache/tiered-cache.js';
import type { ReplayColumn } from './columns.js';
import {
  lateOnes,
  movedBy,
  queueDepths,
  queueOf,
  type DirectionSum,
  type Served,
  type ServedRequest,
} from './served.js';
import { slotBytes } from './plan.js';
import type { ReplaySpec } from './spec.generated.js';
import type { MoveList } from './window.js';

export interface RunFacts {
  readonly strategyUsed: string;
  readonly diskIo: string;
  readonly networkTransport: string;
  /** By direction. */
  readonly peaks: ReadonlyMap<string, Peak>;
  readonly setupUs: number;
}

type Row = Measured<ReplayColumn>;
type Extra = NonNullable<Row['extra']>;

/** phase replay: all of it; request and onboard: each request; copy: each direction; window: a part of the requests. */
export function rowsOf(spec: ReplaySpec, served: Served, facts: RunFacts): Row[] {
  const all = served.windows.flatMap(({ requests }) => requests);
  const depths = queueDepths(all);
  const common = {
    state: 'measured' as const,
    timing: 'host' as const,
    stopped: served.stopped,
    strategyRequested: spec.strategy,
    strategyUsed: facts.strategyUsed,
    ...(facts.networkTransport === '' ? {} : { networkTransport: facts.networkTransport }),
  };
  const onboards = all.filter((request) => movedBy(request, 'host->device', 'disk->device') > 0);
  const rows: Row[] = [
    {
      ...common,
      phase: 'replay',
      direction: '',
      samplesUs: oneSample(served.elapsedUs, all.length),
      bytes: totalBytes(served),
      setupUs: facts.setupUs,
      extra: { ...wholeExtra(served, all), ...queueExtra(depths) },
    },
    ...directionRows(served, facts).map((row) => ({ ...common, ...row })),
    {
      ...latencies(common, 'request', all, ({ endUs }) => endUs),
      sampleFacts: factsOf(all, slotBytes(spec)),
    },
    latencies(common, 'onboard', onboards, ({ loadedUs }) => loadedUs),
  ];
  return [...rows, ...windowRows(common, served, depths)];
}

type Common = Pick<
  Row,
  'state' | 'timing' | 'strategyRequested' | 'strategyUsed' | 'stopped' | 'networkTransport'
>;

function oneSample(us: number, requests: number): Float64Array {
  return requests === 0 ? new Float64Array() : Float64Array.of(us);
}

/** From the moment a request was due: waiting behind others is in it. */
function latencies(
  common: Common,
  phase: string,
  requests: readonly ServedRequest[],
  until: (request: ServedRequest) => number,
): Row {
  return {
    ...common,
    phase,
    direction: '',
    samplesUs: Float64Array.from(requests, (request) => until(request) - request.dueUs),
    bytes: {},
    extra: { requests: requests.length },
  };
}

/** Written to samples/ next to the time of each request. */
function factsOf(requests: readonly ServedRequest[], blockBytes: number) {
  const each = (value: (request: ServedRequest) => number): number[] => requests.map(value);
  const bytes = (...lists: MoveList[]): number[] =>
    each((request) => blockBytes * movedBy(request, ...lists));
  return {
    request: each(({ number }) => number),
    blocks: each(({ numBlocks }) => numBlocks),
    hits_device: each((request) => movedBy(request, 'hits')),
    hits_host: each((request) => movedBy(request, 'host->device')),
    hits_disk: each((request) => movedBy(request, 'disk->device')),
    loaded_bytes: bytes('host->device', 'disk->device'),
    offloaded_bytes: bytes('device->host', 'device->disk', 'host->disk'),
  };
}

function directionRows(served: Served, { peaks, diskIo }: RunFacts) {
  return [...served.directions].flatMap(([direction, sum]) => {
    if (sum.slots === 0) return [];
    const { payload, ...paths } = sum.bytes;
    const taken = Object.fromEntries(Object.entries(paths).filter(([, bytes]) => bytes > 0));
    const peak = peaks.get(direction);
    return [
      {
        phase: 'copy',
        direction,
        samplesUs: Float64Array.of(sum.busyUs),
        bytes: { payload, ...taken },
        ...(peak === undefined ? {} : { peak }),
        ...(direction.includes('disk') && diskIo !== '' ? { diskIo } : {}),
        extra: { copied_blocks: sum.slots, busy_pct: share(sum.busyUs, served.elapsedUs) },
      },
    ];
  });
}

function totalBytes(served: Served): Row['bytes'] {
  const sums = [...served.directions.values()];
  const sum = (key: keyof DirectionSum['bytes']): number =>
    sums.reduce((total, { bytes }) => total + bytes[key], 0);
  const keys = ['self', 'ipc', 'network', 'pcie', 'disk'] as const;
  const taken = keys.map((key) => [key, sum(key)] as const).filter(([, bytes]) => bytes > 0);
  return { payload: sum('payload'), ...Object.fromEntries(taken) };
}

const share = (part: number, whole: number): number =>
  whole > 0 ? Math.round((1e4 * part) / whole) / 100 : 0;

function wholeExtra(served: Served, requests: readonly ServedRequest[]): Extra {
  const cache = served.windows.at(-1)?.cache;
  if (cache === undefined) return { requests: 0 };
  const bottleneck = bottleneckOf(served);
  return {
    ...cacheExtra(cache),
    ...requestExtra(requests),
    failed_blocks: served.failedBlocks,
    fill_us: Math.round(served.fillUs),
    check_us: Math.round(served.checkUs),
    ...(served.setUpUs > 0 ? { load_setup_us: Math.round(served.setUpUs) } : {}),
    ...(served.leaderUs > 0 && served.blocks > 0
      ? { leader_us_per_block: Math.round((1e3 * served.leaderUs) / served.blocks) / 1e3 }
      : {}),
    ...(bottleneck === '' ? {} : { bottleneck }),
    hit_rates: hitRates(cache),
  };
}

function bottleneckOf(served: Served): string {
  const busiest = [...served.directions].reduce<[string, number]>(
    (best, [direction, { busyUs }]) => (busyUs > best[1] ? [direction, busyUs] : best),
    ['', 0],
  );
  return busiest[0] === '' ? '' : `${busiest[0]} ${share(busiest[1], served.elapsedUs)} %`;
}

function requestExtra(requests: readonly ServedRequest[]): Extra {
  return {
    requests: requests.length,
    late: lateOnes(requests),
    stall_us: Math.round(requests.reduce((sum, { stallUs }) => sum + stallUs, 0)),
  };
}

function queueExtra(depths: Int32Array): Extra {
  const { mean, max } = queueOf(depths);
  return { queue_depth_mean: Math.round(100 * mean) / 100, queue_depth_max: max };
}

function cacheExtra(cache: CacheCounts): Extra {
  const { blocks, hits, offloads, evictions } = cache;
  const found = hits.reduce((sum, tier) => sum + tier, 0);
  return {
    prefix_blocks: blocks,
    hits_device: hits[0] ?? 0,
    hits_host: hits[1] ?? 0,
    hits_disk: hits[2] ?? 0,
    misses: cache.misses,
    hit_pct: share(found, blocks),
    offloads_host: offloads[1] ?? 0,
    offloads_disk: offloads[2] ?? 0,
    evictions_device: evictions[0] ?? 0,
    evictions_host: evictions[1] ?? 0,
    evictions_disk: evictions[2] ?? 0,
    not_kept: cache.unkept,
    not_offloaded: cache.notOffloaded,
  };
}

function hitRates({ hits, misses, blocks }: CacheCounts): string {
  const named = ['device', 'host', 'disk'].flatMap((tier, at) =>
    (hits[at] ?? 0) > 0 ? [`${tier} ${share(hits[at] ?? 0, blocks).toFixed(2)} %`] : [],
  );
  return `${named.join(', ') || 'no hits'}; missed ${share(misses, blocks).toFixed(2)} % of ${blocks} prefix blocks`;
}

/** They are only in the rank's file. */
function windowRows(common: Common, served: Served, depths: Int32Array): Row[] {
  let before: CacheCounts | null = null;
  let first = 0;
  return served.windows.map(({ requests, cache, firstRequest }, at) => {
    const own = difference(cache, before);
    const slice = depths.subarray(first, first + requests.length);
    first += requests.length;
    before = cache;
    return {
      ...latencies(common, `window ${at + 1}`, requests, ({ endUs }) => endUs),
      rankOnly: true,
      extra: {
        request_range: `${firstRequest}-${firstRequest + requests.length - 1}`,
        ...cacheExtra(own),
        ...requestExtra(requests),
        ...queueExtra(slice),
      },
    };
  });
}

function difference(after: CacheCounts, before: CacheCounts | null): CacheCounts {
  if (before === null) return after;
  const lists = (key: 'hits' | 'loads' | 'offloads' | 'evictions'): number[] =>
    after[key].map((value, at) => value - (before[key][at] ?? 0));
  return {
    requests: after.requests - before.requests,
    blocks: after.blocks - before.blocks,
    beyondGap: after.beyondGap - before.beyondGap,
    deviceBeyondGap: after.deviceBeyondGap - before.deviceBeyondGap,
    misses: after.misses - before.misses,
    unkept: after.unkept - before.unkept,
    notOffloaded: after.notOffloaded - before.notOffloaded,
    hits: lists('hits'),
    loads: lists('loads'),
    offloads: lists('offloads'),
    evictions: lists('evictions'),
  };
}
