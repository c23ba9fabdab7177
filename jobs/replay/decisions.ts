/** Rank 0's side: reads the trace, asks the cache what each request does, and cuts the answers into windows. */
import { RunnerError } from '../../runner/errors.js';
import type { Tier } from '../../runner/native/types/index.js';
import { TIER_NAMES, TieredCache } from '../cache/tiered-cache.js';
import { cachedIds } from '../traces/cached-ids.js';
import { PrefixTree } from '../traces/prefix-tree.js';
import { openTrace, type Trace, type TraceReading } from '../traces/read-trace.js';
import type { TraceRequest } from '../traces/request.js';
import { ContentIds } from './content-ids.js';
import type { ReplaySpec } from './spec.generated.js';
import { tierSlots } from './tiers.js';
import { WindowBuilder } from './window-builder.js';
import type { ReplayWindow } from './window.js';

export interface TraceTotals {
  readonly requests: number;
  readonly badLines: number;
  /** Blocks of the longest request. */
  readonly mostBlocks: number;
}

function readingOf({ trace, speedup }: ReplaySpec): TraceReading {
  return {
    blockTokens: trace.blockTokens,
    skip: trace.skip,
    limit: trace.requests ?? Infinity,
    onBadLine: trace.onBadLine,
    speedup,
  };
}

/** Reads the whole trace once: a wrong line is told before anything moves. Throws E_TRACE. */
export async function countRequests(spec: ReplaySpec, path: string): Promise<TraceTotals> {
  const trace = await openTrace(path, readingOf(spec));
  let [requests, mostBlocks] = [0, 0];
  for await (const batch of trace.requests) {
    requests += batch.length;
    for (const { hashIds } of batch) mostBlocks = Math.max(mostBlocks, hashIds.length);
  }
  return { requests, mostBlocks, badLines: trace.badLines.count };
}

export class Decisions {
  readonly #spec: ReplaySpec;
  readonly #path: string;
  readonly #trace: Trace;
  readonly #requests: AsyncIterator<TraceRequest>;
  readonly #cache: TieredCache;
  readonly #tree = new PrefixTree();
  readonly #contents = new ContentIds();
  /** Session -> its latest request. */
  readonly #sessions = new Map<string, number>();
  readonly #total: number;
  readonly #windowRequests: number;
  #blocks = new Int32Array(1024);
  #next = 0;

  private constructor(spec: ReplaySpec, path: string, trace: Trace, total: number) {
    this.#spec = spec;
    this.#path = path;
    this.#trace = trace;
    this.#requests = oneByOne(trace);
    this.#total = total;
    this.#windowRequests = Math.max(1, Math.ceil((total - spec.warmupRequests) / spec.windows));
    const ttlMs = spec.ttlSeconds * 1000;
    const tiers = tierSlots(spec).map((capacity, tier) => ({
      capacity,
      policy: spec.policy,
      ttlMs,
      minUses: tier === 0 ? 1 : spec.minUses,
    }));
    this.#cache = new TieredCache(tiers, true);
  }

  /** `total`: requests that the trace has. Throws E_TRACE. */
  static async open(spec: ReplaySpec, path: string, total: number): Promise<Decisions> {
    return new Decisions(spec, path, await openTrace(path, readingOf(spec)), total);
  }

  /** What a copy did not bring to its slot is no longer there. */
  forget(tier: Tier, slot: number): void {
    this.#cache.forget(TIER_NAMES.indexOf(tier), slot);
  }

  /** Of one request at least, while there are some. Throws E_TRACE. */
  async window(): Promise<ReplayWindow> {
    const { warmupRequests } = this.#spec;
    const firstRequest = this.#next;
    const isWarmup = firstRequest < warmupRequests;
    const end = Math.min(this.#total, firstRequest + this.#windowRequests);
    const builder = new WindowBuilder(firstRequest);
    for (const last = isWarmup ? Math.min(end, warmupRequests) : end; this.#next < last;) {
      const { value, done } = await this.#requests.next();
      if (done === true) {
        const found = `expected ${this.#total} requests, as counted before anything moved, received ${this.#next}`;
        throw new RunnerError('E_TRACE', `${this.#path}: ${found}; replay a file that does not change`);
      }
      this.#decide(value, builder);
    }
    const window = builder.finish({
      cache: structuredClone(this.#cache.counts),
      isWarmup,
      isLast: this.#next >= this.#total,
    });
    if (this.#next === warmupRequests) this.#cache.resetCounts();
    return window;
  }

  async close(): Promise<void> {
    await this.#trace.close();
  }

  #decide(request: TraceRequest, builder: WindowBuilder): void {
    const ids = cachedIds(request, this.#spec.trace.blockTokens, this.#spec.shortBlock === 'cached');
    this.#tree.walk(ids, 0);
    this.#blocks = this.#tree.path(this.#blocks);
    this.#contents.add(this.#blocks, ids);
    this.#cache.access(this.#blocks, ids.length, request.timestampMs);
    const number = this.#next++;
    builder.add(this.#cache.moves, this.#contents, {
      dueUs: this.#spec.pacing === 'asFastAsPossible' ? 0 : request.timestampMs * 1000,
      delayUs: request.delayMs === undefined ? -1 : request.delayMs * 1000,
      previous: this.#previousOf(request, number),
      numBlocks: ids.length,
    });
  }

  #previousOf({ session }: TraceRequest, number: number): number {
    if (session === undefined || this.#spec.pacing !== 'sessions') return -1;
    const previous = this.#sessions.get(session) ?? -1;
    this.#sessions.set(session, number);
    return previous;
  }
}

async function* oneByOne(trace: Trace): AsyncGenerator<TraceRequest> {
  for await (const batch of trace.requests) yield* batch;
}
