/** What caches of any size would do for a trace, without moving a byte. */
import { cachedIds } from '../traces/cached-ids.js';
import { DistinctIds } from '../traces/distinct-ids.js';
import { PrefixTree, grown } from '../traces/prefix-tree.js';
import type { TraceRequest } from '../traces/request.js';
import { beladyHits } from './belady.js';
import type { PolicyName } from './policy.js';
import { StackDistances } from './stack-distances.js';
import { TieredCache, type CacheCounts } from './tiered-cache.js';

export interface SimulationOptions {
  /** 0: the trace names no blocks. */
  readonly blockTokens: number;
  /** Whether a request's last block is cached where it is short. */
  readonly cachesShortBlock: boolean;
  /** Requests that fill the caches and are not counted. */
  readonly warmupRequests: number;
  /** Policies in addition to LRU, each at each of these capacities. */
  readonly policies: readonly (PolicyName | 'belady')[];
  readonly capacities: readonly number[];
  readonly ttlMs: number;
  /** Blocks of device, host and disk that work together; those left out have none. Empty: not asked. */
  readonly tierBlocks: readonly number[];
  /** Policy of each of them. */
  readonly tierPolicy: PolicyName;
  /** A block enters host or disk at its use of this number or a later one. */
  readonly minUses: number;
}

export interface PolicyHits {
  readonly policy: PolicyName | 'belady';
  /** null: without bounds. */
  readonly capacityBlocks: number | null;
  readonly hits: number;
  /** With blocks behind a gap that the cache has all the same. */
  readonly hitsAny: number;
  readonly hitTokens: number;
}

export interface SimulationTotals {
  /** Of the requests that count. */
  readonly requests: number;
  readonly blocks: number;
  readonly tokens: number;
  /** Of a cache without bounds: the mean over requests of the share of its blocks, and of its tokens, that hit. */
  readonly meanRequestHitPct: number;
  readonly meanRequestTokenHitPct: number;
  /** Of all requests. */
  readonly distinctBlocks: number;
  readonly distinctIds: number;
}

class CountedCache {
  readonly cache: TieredCache;
  readonly policy: PolicyName;
  readonly capacity: number;
  hits = 0;
  hitsAny = 0;
  hitTokens = 0;

  constructor(policy: PolicyName, capacity: number, ttlMs: number) {
    this.policy = policy;
    this.capacity = capacity;
    this.cache = new TieredCache([{ capacity, policy, ttlMs, minUses: 1 }], false);
  }
}

export class Simulation {
  readonly #options: SimulationOptions;
  readonly #tree = new PrefixTree();
  readonly #distances = new StackDistances(this.#tree);
  readonly #ids = new DistinctIds();
  readonly #caches: readonly CountedCache[];
  readonly #belady: boolean;
  readonly #tiers: TieredCache | null;
  /** By distance of a request's short last block: the tokens by which it is short. */
  #missing = new Float64Array(1024);
  #path = new Int32Array(1024);
  /** Of all requests, only for belady. */
  #future = new Int32Array(1024);
  #ends = new Int32Array(1024);
  readonly #inputTokens: number[] = [];
  #numRequests = 0;
  #numReferences = 0;
  readonly #counted = { requests: 0, blocks: 0, tokens: 0 };
  /** Sums over requests of the shares that a cache without bounds hits. */
  #blockShares = 0;
  #tokenShares = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const policies = options.policies.filter((policy) => policy !== 'belady' && policy !== 'lru');
    this.#belady = options.policies.includes('belady');
    const { tierBlocks, tierPolicy, ttlMs, minUses } = options;
    const tiers = tierBlocks.map((capacity, tier) => ({
      capacity,
      policy: tierPolicy,
      ttlMs,
      minUses: tier === 0 ? 1 : minUses,
    }));
    this.#tiers = tiers.length === 0 ? null : new TieredCache(tiers, false);
    this.#caches = policies.flatMap((policy) =>
      options.capacities.map((capacity) => new CountedCache(policy as PolicyName, capacity, options.ttlMs)),
    );
  }

  add(request: TraceRequest): void {
    const { inputTokens, timestampMs } = request;
    const isCounted = this.#numRequests++ >= this.#options.warmupRequests;
    const ids = cachedIds(request, this.#options.blockTokens, this.#options.cachesShortBlock);
    const tree = this.#tree;
    const before = tree.numBlocks;
    tree.walk(ids, this.#distances.nextTag());
    for (let block = before; block < tree.numBlocks; block++) this.#ids.add(tree.idOf(block));
    const last = this.#distances.touch(isCounted);
    if (isCounted) {
      this.#counted.requests++;
      this.#counted.blocks += ids.length;
      this.#counted.tokens += inputTokens;
      const known = ids.length - (tree.numBlocks - before);
      this.#blockShares += ids.length === 0 ? 0 : known / ids.length;
      this.#tokenShares += this.#tokensOf(known, inputTokens) / inputTokens;
      const missing = ids.length * this.#options.blockTokens - inputTokens;
      if (last > 0 && missing > 0) {
        this.#missing = grown(this.#missing, last + 1);
        this.#missing[last] = (this.#missing[last] ?? 0) + missing;
      }
    }
    if (this.#caches.length > 0 || this.#belady || this.#tiers)
      this.#serve(ids.length, inputTokens, timestampMs, isCounted);
  }

  #serve(length: number, inputTokens: number, timeMs: number, isCounted: boolean): void {
    const path = (this.#path = this.#tree.path(this.#path));
    for (const counted of this.#caches) {
      const anyBefore = counted.cache.counts.beyondGap;
      const hits = counted.cache.access(path, length, timeMs);
      if (!isCounted) continue;
      counted.hits += hits;
      counted.hitsAny += hits + counted.cache.counts.beyondGap - anyBefore;
      counted.hitTokens += this.#tokensOf(hits, inputTokens);
    }
    this.#tiers?.access(path, length, timeMs);
    if (!isCounted) this.#tiers?.resetCounts();
    if (!this.#belady) return;
    this.#future = grown(this.#future, this.#numReferences + length);
    this.#future.set(path.subarray(0, length), this.#numReferences);
    this.#numReferences += length;
    this.#ends = grown(this.#ends, this.#numRequests);
    this.#ends[this.#numRequests - 1] = this.#numReferences;
    this.#inputTokens.push(inputTokens);
  }

  #tokensOf(hits: number, inputTokens: number): number {
    return Math.min(hits * this.#options.blockTokens, inputTokens);
  }

  totals(): SimulationTotals {
    const ofRequests = (sum: number): number => (100 * sum) / Math.max(1, this.#counted.requests);
    return {
      ...this.#counted,
      meanRequestHitPct: ofRequests(this.#blockShares),
      meanRequestTokenHitPct: ofRequests(this.#tokenShares),
      distinctBlocks: this.#tree.numBlocks,
      distinctIds: this.#ids.size,
    };
  }

  /** LRU at every capacity: of element C, hits and tokens of a cache of C blocks. */
  lru(): { readonly hits: Float64Array; readonly hitTokens: Float64Array } {
    const hits = this.#distances.curve();
    const hitTokens = new Float64Array(hits.length);
    let missing = 0;
    for (let capacity = 1; capacity < hits.length; capacity++) {
      missing += this.#missing[capacity] ?? 0;
      hitTokens[capacity] = (hits[capacity] ?? 0) * this.#options.blockTokens - missing;
    }
    return { hits, hitTokens };
  }

  /** Of the tiers together; null: not asked. */
  tierCounts(): CacheCounts | null {
    return this.#tiers?.counts ?? null;
  }

  /** The other policies at the given capacities. */
  others(): PolicyHits[] {
    const own = this.#caches.map(({ policy, capacity, hits, hitsAny, hitTokens }) => ({
      policy,
      capacityBlocks: capacity,
      hits,
      hitsAny,
      hitTokens,
    }));
    return this.#belady
      ? [...own, ...this.#options.capacities.map((capacity) => this.#bound(capacity))]
      : own;
  }

  #bound(capacityBlocks: number): PolicyHits {
    const blocks = this.#future.subarray(0, this.#numReferences);
    const ends = this.#ends.subarray(0, this.#numRequests);
    const found = beladyHits({ blocks, ends, numBlocks: this.#tree.numBlocks }, capacityBlocks);
    let [hits, hitTokens] = [0, 0];
    for (let request = this.#options.warmupRequests; request < found.length; request++) {
      hits += found[request] ?? 0;
      hitTokens += this.#tokensOf(found[request] ?? 0, this.#inputTokens[request] ?? 0);
    }
    return { policy: 'belady', capacityBlocks, hits, hitsAny: hits, hitTokens };
  }
}
