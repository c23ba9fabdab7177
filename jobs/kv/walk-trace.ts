/** Which blocks the requests of a trace touch, in pools that hand ids out as a serving engine does. */
import type { KvSpec } from './spec.generated.js';
import { LruPool } from './lru-pool.js';
import { seededRandom } from './random.js';
import { sectionsOf, type TierSection } from './sections.js';
import { traceOf } from './spec.js';
import type { HashId, TraceRequest } from '../traces/request.js';
import { firstOf, itemAt } from '../../runner/values/items.js';
import { LastAnswer } from '../../runner/values/last-answer.js';

export interface WalkedTrace {
  /** Ids in the pool that is read, and in the pool that is written. */
  readonly source: Int32Array;
  readonly target: Int32Array;
  /** Of each pair: how many pairs of the first section came before the last one up to here. */
  readonly numbers: Int32Array;
  /** Pairs of each section. */
  readonly counts: readonly number[];
}

/** One section of both pools: of the one that is read, and of the one that is written. */
class SectionWalk {
  readonly pools: readonly LruPool[];
  readonly firstBlocks: readonly number[];
  /** Pages of a request that the section keeps, from its end. */
  readonly keptPages: number;
  readonly used: readonly [Set<number>, Set<number>] = [new Set<number>(), new Set<number>()];
  count = 0;
  readonly #pagesAtOnce: number;

  constructor(seed: number, index: number, sides: readonly TierSection[], pagesPerHash: number) {
    const kept = firstOf(sides).windowBlocks;
    this.keptPages = kept ?? Infinity;
    // What is kept whole is taken by hash ids, so that pages of one stay neighbours; a window moves by pages.
    this.#pagesAtOnce = kept === null ? pagesPerHash : 1;
    const salts = index === 0 ? [] : [index];
    // Seeds of their own keep the two pools' random orders apart.
    this.pools = sides.map(
      ({ numBlocks }, side) =>
        new LruPool(numBlocks, this.#pagesAtOnce, seededRandom(seed, side + 1, ...salts)),
    );
    this.firstBlocks = sides.map(({ firstBlock }) => firstBlock);
  }

  /** Ids of that page in both pools; undefined where a pool ends before it. */
  touch(hash: number, page: number, pagesPerHash: number): readonly (number | undefined)[] {
    const isWhole = this.#pagesAtOnce > 1 || pagesPerHash === 1;
    if (!isWhole) return this.pools.map((pool) => pool.touch(hash * pagesPerHash + page)[0]);
    if (page === 0) this.#touched = this.pools.map((pool) => pool.touch(hash));
    return this.#touched.map((ids) => ids[page]);
  }
  #touched: readonly (readonly number[])[] = [[], []];
}

/**
 * A hash id stands for ceil(blockTokens / pageSize) pages of its request; what a pool has not (or no more) gets ids there. A page
 * touches the sections that still keep it when the whole request is there. A pair of ids joins the lists at first touch,
 * unless an eviction has handed one of them out before: each id is moved once. Ends before the first section has more
 * than `most` pairs.
 */
export function walkTrace(spec: KvSpec, requests: readonly TraceRequest[], most: number): WalkedTrace {
  const pagesPerHash = Math.ceil(traceOf(spec).blockTokens / spec.layout.pageSize);
  const targets = sectionsOf(spec, spec.to);
  const sections = sectionsOf(spec, spec.from).map((source, index) => {
    return new SectionWalk(spec.seed, index, [source, itemAt(targets, index)], pagesPerHash);
  });
  const lists = { source: [] as number[], target: [] as number[], numbers: [] as number[] };
  const numberOf = new Map<HashId, number>();
  const first = firstOf(sections);
  const visit = (section: SectionWalk, hash: number, page: number): boolean => {
    const [source, target] = section.touch(hash, page, pagesPerHash);
    const [usedSource, usedTarget] = section.used;
    if (source === undefined || target === undefined) return true;
    if (usedSource.has(source) || usedTarget.has(target)) return true;
    if (section === first && section.count === most) return false;
    usedSource.add(source);
    usedTarget.add(target);
    lists.source.push(source + (section.firstBlocks[0] ?? 0));
    lists.target.push(target + (section.firstBlocks[1] ?? 0));
    if (section === first) section.count += 1;
    lists.numbers.push(Math.max(0, first.count - 1));
    if (section !== first) section.count += 1;
    return true;
  };
  for (const request of requests) {
    const pages = request.hashIds.length * pagesPerHash;
    for (const [place, hashId] of request.hashIds.entries()) {
      const hash = numberOf.get(hashId) ?? numberOf.size;
      numberOf.set(hashId, hash);
      for (let page = 0; page < pagesPerHash; page++) {
        const fromEnd = pages - (place * pagesPerHash + page);
        const kept = sections.filter(({ keptPages }) => fromEnd <= keptPages);
        if (!kept.every((section) => visit(section, hash, page))) return walked();
      }
    }
  }
  return walked();

  function walked(): WalkedTrace {
    return {
      source: Int32Array.from(lists.source),
      target: Int32Array.from(lists.target),
      numbers: Int32Array.from(lists.numbers),
      counts: sections.map(({ count }) => count),
    };
  }
}

const touched = new LastAnswer<readonly number[]>();

/** How many pairs of blocks the job's requests touch, by section; at most `most` of the first. */
export function countTouched(
  spec: KvSpec,
  requests: readonly TraceRequest[],
  most = Infinity,
): readonly number[] {
  const sections = [spec.from, spec.to].map((tier) =>
    sectionsOf(spec, tier).map(({ numBlocks, windowBlocks }) => [numBlocks, windowBlocks]),
  );
  const { sha256, blockTokens, requests: taken } = traceOf(spec);
  const key = JSON.stringify([sha256, blockTokens, taken, spec.seed, spec.layout.pageSize, sections, most]);
  return touched.of(requests, key, () => walkTrace(spec, requests.slice(0, taken), most).counts);
}
