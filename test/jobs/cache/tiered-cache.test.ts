/** Three tiers against a plain account of the same rules, and the moves against the bytes that they would leave. */
import t from 'tap';
import { TieredCache, TIER_NAMES } from '../../../jobs/cache/tiered-cache.js';
import { seededRandom } from '../../../jobs/kv/random.js';

t.setTimeout(1_800_000);

const numTraces = Number(process.env['RAILRUNNER_TEST_TRACES'] ?? 300);

/** Requests as numbers of blocks: paths in a random tree, each block behind one other only. */
function randomRequests(seed: number): Int32Array[] {
  const random = seededRandom(seed, 3);
  const paths: number[][] = [];
  let next = 0;
  for (let count = 5 + random.below(60); count > 0; count--) {
    const from = paths[random.below(paths.length + 1)] ?? [];
    const fresh = Array.from({ length: random.below(4) }, () => next++);
    const path = [...from.slice(0, random.below(from.length + 1)), ...fresh];
    if (path.length > 0) paths.push(path);
  }
  return paths.map((path) => Int32Array.from(path));
}

/** LRU in each tier: lists with the latest first. What is in use by the request stays. */
class PlainTiers {
  readonly held: number[][] = [[], [], []];
  readonly counts = {
    hits: [0, 0, 0],
    loads: [0, 0, 0],
    offloads: [0, 0, 0],
    evictions: [0, 0, 0],
    misses: 0,
    notOffloaded: 0,
  };
  readonly #capacities: readonly number[];
  #inUse: Set<number>[] = [];

  constructor(capacities: readonly number[]) {
    this.#capacities = capacities;
  }

  access(path: readonly number[]): void {
    const [device] = this.held as [number[]];
    const kept = path.slice(0, this.#capacities[0]);
    const where = (block: number): number => this.held.findIndex((tier) => tier.includes(block));
    const gap = kept.findIndex((block) => where(block) < 0);
    const hits = gap < 0 ? kept : kept.slice(0, gap);
    this.counts.misses += path.length - hits.length;
    this.#inUse = [new Set(kept), new Set(), new Set()];
    for (const block of hits) {
      const at = where(block);
      this.counts.hits[at] = (this.counts.hits[at] ?? 0) + 1;
      this.#inUse[at]?.add(block);
    }
    for (const block of [...kept].reverse()) {
      if (!device.includes(block)) {
        const at = hits.includes(block) ? where(block) : -1;
        if (device.length === this.#capacities[0]) this.#store(this.#take(0), 1);
        if (at > 0) {
          this.counts.loads[at] = (this.counts.loads[at] ?? 0) + 1;
          this.#renew(at, block);
        }
      }
      this.#renew(0, block);
    }
  }

  #renew(tier: number, block: number): void {
    const list = this.held[tier] as number[];
    if (list.includes(block)) list.splice(list.indexOf(block), 1);
    list.unshift(block);
    this.#inUse[tier]?.add(block);
  }

  #take(tier: number): number {
    const list = this.held[tier] as number[];
    const at = list.findLastIndex((block) => !this.#inUse[tier]?.has(block));
    if (at < 0) return -1;
    this.counts.evictions[tier] = (this.counts.evictions[tier] ?? 0) + 1;
    return list.splice(at, 1)[0] as number;
  }

  #store(block: number, tier: number): void {
    if (this.#capacities[tier] === 0) return tier < 2 ? this.#store(block, tier + 1) : undefined;
    const list = this.held[tier] as number[];
    if (!list.includes(block)) {
      if (list.length === this.#capacities[tier]) {
        const victim = this.#take(tier);
        if (victim < 0) {
          this.counts.notOffloaded++;
          return;
        }
        if (tier === 1 && this.#capacities[2] !== 0 && !this.held[0]?.includes(victim))
          this.#store(victim, 2);
      }
      this.counts.offloads[tier] = (this.counts.offloads[tier] ?? 0) + 1;
    }
    this.#renew(tier, block);
  }
}

t.test(`counts of ${numTraces} random traces, and what the moves leave in each slot`, async (t) => {
  for (let seed = 0; seed < numTraces; seed++) {
    const random = seededRandom(seed, 4);
    const capacities = [1 + random.below(8), random.below(8), random.below(8)];
    const tiers = capacities.map((capacity) => ({ capacity, policy: 'lru', ttlMs: 0, minUses: 1 }) as const);
    const cache = new TieredCache(tiers, true);
    const plain = new PlainTiers(capacities);
    /** Of each tier, the block whose bytes a slot holds. */
    const bytes = capacities.map((capacity) => Array<number>(capacity).fill(-1));
    for (const path of randomRequests(seed)) {
      cache.access(path, path.length, 0);
      plain.access([...path]);
      for (const [from, to] of [
        [1, 2],
        [0, 1],
        [0, 2],
        [1, 0],
        [2, 0],
      ] as const) {
        const { source, target, blocks } = cache.moves.copies(from, to);
        for (const [place, slot] of source.entries()) {
          const block = bytes[from]?.[slot];
          if (block !== blocks[place])
            t.equal(block, blocks[place], `seed ${seed}: ${TIER_NAMES[from]} slot ${slot}`);
          (bytes[to] as number[])[target[place] as number] = block as number;
        }
      }
      const { fills, hits } = cache.moves;
      for (const [place, slot] of fills.slots.entries())
        (bytes[0] as number[])[slot] = fills.blocks[place] as number;
      const held = hits.slots.map((slot) => bytes[0]?.[slot]);
      if (String(held) !== String(hits.blocks)) t.same(held, hits.blocks, `seed ${seed}: device hits`);
    }
    const { hits, loads, offloads, evictions, misses, notOffloaded } = cache.counts;
    const own = { hits, loads, offloads, evictions, misses, notOffloaded };
    if (JSON.stringify(own) !== JSON.stringify(plain.counts))
      t.same(own, plain.counts, `seed ${seed}, ${capacities}`);
  }
  t.pass('all equal');
});

t.test('a block that was used once is not admitted below where two uses are asked for', async (t) => {
  const tier = { capacity: 1, policy: 'lru', ttlMs: 0, minUses: 1 } as const;
  const cache = new TieredCache([tier, { ...tier, capacity: 4, minUses: 2 }], true);
  for (const block of [1, 1, 2, 3]) cache.access(Int32Array.of(block), 1, 0);
  t.match(cache.counts, { hits: [1, 0, 0], offloads: [0, 1, 0], notOffloaded: 1 });
});

t.test('a device of no blocks is refused; a request larger than it keeps its head', async (t) => {
  const tier = { policy: 'lru', ttlMs: 0, minUses: 1 } as const;
  t.throws(() => new TieredCache([{ ...tier, capacity: 0 }], true), /no blocks/);
  const cache = new TieredCache([{ ...tier, capacity: 2 }], true);
  for (let repeat = 0; repeat < 2; repeat++) cache.access(Int32Array.of(1, 2, 3), 3, 0);
  t.match(cache.counts, { hits: [2, 0, 0], misses: 4, unkept: 2 });
});
