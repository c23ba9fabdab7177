/**
 * Which blocks a rank moves, and in what order: two lists of equal length, ids in the source pool and in the target
 * pool, each id once. Deterministic: the same spec and rank give the same lists everywhere.
 */
import { RunnerError } from '../../runner/errors.js';
import type { FilePlaces } from '../../runner/job-spec/files.js';
import { LruPool } from './lru-pool.js';
import { seededRandom, shuffledIds } from './random.js';
import type { KvSpec } from './kv-spec.js';
import { poolBlocks } from './rules.js';
import { rereadTrace } from './trace.js';
import type { TraceRequest } from './trace.js';

export interface BlockIds {
  /** Ids in the pool that is read; length = blocks. */
  readonly source: Int32Array;
  /** Ids in the pool that is written; length = blocks. */
  readonly target: Int32Array;
}

export interface BlockOrder {
  /** from -> to. */
  readonly forward: BlockIds;
  /** to -> from at the same time, other blocks of the same pools; null where the job is not bidirectional. */
  readonly reverse: BlockIds | null;
}

/** Keeps the two pools' random orders apart. */
const SOURCE_SALT = 1;
const TARGET_SALT = 2;

/** The lists of one rank. Order trace reads the trace's file, which every rank must reach and find unchanged. */
export function blockOrder(spec: KvSpec, rank: number, files: FilePlaces = {}): BlockOrder {
  const count = spec.bidirectional ? 2 * spec.blocks : spec.blocks;
  const { source, target } =
    spec.order === 'trace' ? traceIds(spec, count, files) : plainIds(spec, rank, count);
  const { blocks } = spec;
  return {
    forward: { source: source.slice(0, blocks), target: target.slice(0, blocks) },
    reverse: spec.bidirectional ? { source: target.slice(blocks), target: source.slice(blocks) } : null,
  };
}

function plainIds(spec: KvSpec, rank: number, count: number): BlockIds {
  // In replicated mode the target ids must be the same on every rank: the root's load decides them for all.
  const who = spec.mode === 'replicated' ? 0 : rank;
  // A broadcast from the device is in place: its blocks keep their ids.
  const salts =
    spec.from === spec.to ? ([SOURCE_SALT, SOURCE_SALT] as const) : ([SOURCE_SALT, TARGET_SALT] as const);
  const [source, target] = salts.map((salt) => {
    const capacity = poolBlocks(spec, salt === SOURCE_SALT ? spec.from : spec.to);
    if (spec.order === 'shuffled') return shuffledIds(capacity, count, seededRandom(spec.seed, who, salt));
    const stride = spec.order === 'strided' ? Math.floor(capacity / count) : 1;
    return Int32Array.from({ length: count }, (_, place) => place * stride);
  });
  return { source: source ?? new Int32Array(), target: target ?? new Int32Array() };
}

/** The trace's lists are the same on every rank: tensor-parallel ranks see the same requests. */
function traceIds(spec: KvSpec, count: number, files: FilePlaces): BlockIds {
  const { trace } = spec;
  if (trace === undefined)
    throw new RunnerError('E_STATE', 'order trace without a trace: the spec is not resolved');
  const read = rereadTrace(trace, files);
  if ('wrong' in read) throw new RunnerError('E_IO', `the trace ${read.wrong}`);
  const ids = walkTrace(spec, read.requests.slice(0, trace.requests), count);
  if (ids.source.length < count) {
    throw new RunnerError('E_BLOCK_IDS', `the trace touches ${ids.source.length} blocks, expected ${count}`);
  }
  return spec.from === spec.to ? { source: ids.source, target: ids.source } : ids;
}

let latestCount: { readonly key: string; readonly touched: number } | undefined;

/** How many pairs of blocks the job's requests touch in its pools. */
export function countTouched(spec: KvSpec, requests: readonly TraceRequest[]): number {
  const { trace, seed, layout } = spec;
  const pools = [poolBlocks(spec, spec.from), poolBlocks(spec, spec.to)];
  const key = JSON.stringify([trace, seed, layout.pageSize, pools]);
  if (latestCount?.key !== key) {
    const taken = requests.slice(0, trace?.requests);
    latestCount = { key, touched: walkTrace(spec, taken, Math.min(...pools)).source.length };
  }
  return latestCount.touched;
}

/**
 * Walks the requests through a least-recently-used allocator a pool. A hash id stands for ceil(blockTokens / pageSize)
 * blocks; what a pool has not (or no more) gets ids there. A pair of ids joins the lists at first touch, unless an
 * eviction has handed one of them out before: each id is moved once.
 */
export function walkTrace(spec: KvSpec, requests: readonly TraceRequest[], most: number): BlockIds {
  const perHash = Math.ceil((spec.trace?.blockTokens ?? 1) / spec.layout.pageSize);
  const [source, target] = ([SOURCE_SALT, TARGET_SALT] as const).map((salt) => {
    const capacity = poolBlocks(spec, salt === SOURCE_SALT ? spec.from : spec.to);
    return new LruPool(capacity, perHash, seededRandom(spec.seed, salt));
  });
  const lists = { source: [] as number[], target: [] as number[] };
  const used = { source: new Set<number>(), target: new Set<number>() };
  for (const request of requests) {
    for (const hashId of request.hashIds) {
      const from = source?.touch(hashId) ?? [];
      const to = target?.touch(hashId) ?? [];
      for (let page = 0; page < Math.min(from.length, to.length); page++) {
        const [sourceId = 0, targetId = 0] = [from[page], to[page]];
        if (used.source.has(sourceId) || used.target.has(targetId)) continue;
        used.source.add(sourceId);
        used.target.add(targetId);
        lists.source.push(sourceId);
        lists.target.push(targetId);
        if (lists.source.length === most) {
          return { source: Int32Array.from(lists.source), target: Int32Array.from(lists.target) };
        }
      }
    }
  }
  return { source: Int32Array.from(lists.source), target: Int32Array.from(lists.target) };
}
