/**
 * The bound of every policy (Belady 1966): a cache that knows the future and keeps the blocks that are used again first.
 * What is used again by the same request goes from the tail. Memory is linear in references: the future has to be kept.
 */

/** Blocks by the request that uses them next: of each, a queue from the tail of its path to the head. */
class NextUses {
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #after: Int32Array;
  readonly sizes: Int32Array;
  /** One bit for each request with a block, and one for each 32 of those, and so on up. */
  readonly #levels: Uint32Array[] = [];

  constructor(numRequests: number, numBlocks: number) {
    this.#first = new Int32Array(numRequests).fill(-1);
    this.#last = new Int32Array(numRequests).fill(-1);
    this.#after = new Int32Array(numBlocks);
    this.sizes = new Int32Array(numRequests);
    for (let words = numRequests; words > 1 || this.#levels.length === 0;) {
      words = Math.ceil(words / 32);
      this.#levels.push(new Uint32Array(Math.max(1, words)));
    }
  }

  add(request: number, block: number): void {
    const last = this.#last[request] ?? 0;
    if (last < 0) this.#first[request] = block;
    else this.#after[last] = block;
    this.#last[request] = block;
    this.#after[block] = -1;
    if (this.sizes[request] === 0) this.#mark(request);
    this.sizes[request] = (this.sizes[request] ?? 0) + 1;
  }

  /** Gives up the deepest block of the request whose turn comes last. */
  dropLatest(): void {
    let request = 0;
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const word = this.#levels[level]?.[request] ?? 0;
      request = request * 32 + (31 - Math.clz32(word));
    }
    this.#first[request] = this.#after[this.#first[request] ?? 0] ?? 0;
    this.sizes[request] = (this.sizes[request] ?? 0) - 1;
    if (this.sizes[request] === 0) this.dropAll(request);
  }

  dropAll(request: number): void {
    this.#first[request] = this.#last[request] = -1;
    this.sizes[request] = 0;
    let at = request;
    for (const words of this.#levels) {
      const word = at >>> 5;
      words[word] = (words[word] ?? 0) & ~(1 << (at & 31));
      if (words[word] !== 0) return;
      at = word;
    }
  }

  #mark(request: number): void {
    let at = request;
    for (const words of this.#levels) {
      const word = at >>> 5;
      words[word] = (words[word] ?? 0) | (1 << (at & 31));
      at = word;
    }
  }
}

/** Block numbers of all requests, one after the other; request r has [ends[r - 1], ends[r]). */
export interface References {
  readonly blocks: Int32Array;
  readonly ends: Int32Array;
  readonly numBlocks: number;
}

/** Prefix hits of each request. */
export function beladyHits({ blocks, ends, numBlocks }: References, capacity: number): Int32Array {
  const numRequests = ends.length;
  const nextUse = new Int32Array(blocks.length);
  const seen = new Int32Array(numBlocks).fill(-1);
  for (let request = numRequests - 1; request >= 0; request--) {
    for (let at = request === 0 ? 0 : (ends[request - 1] ?? 0); at < (ends[request] ?? 0); at++) {
      const block = blocks[at] ?? 0;
      nextUse[at] = seen[block] ?? 0;
      seen[block] = request;
    }
  }
  const kept = new NextUses(numRequests, numBlocks);
  const hits = new Int32Array(numRequests);
  let size = 0;
  for (let request = 0; request < numRequests; request++) {
    hits[request] = kept.sizes[request] ?? 0;
    size -= hits[request] ?? 0;
    if (hits[request] !== 0) kept.dropAll(request);
    const start = request === 0 ? 0 : (ends[request - 1] ?? 0);
    for (let at = (ends[request] ?? 0) - 1; at >= start; at--) {
      if ((nextUse[at] ?? 0) < 0) continue;
      kept.add(nextUse[at] ?? 0, blocks[at] ?? 0);
      size++;
    }
    for (; size > capacity; size--) kept.dropLatest();
  }
  return hits;
}
