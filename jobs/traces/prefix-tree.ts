/**
 * Gives every prefix block of a trace a number: blocks are the same where they and all blocks before them have equal
 * ids, which chains ids that a publisher did not chain. A compressed tree: an edge is a run of blocks that lie one
 * after the other in one array, so a request costs one comparison for each of its blocks and one look-up for each edge.
 * A block's number is its place in that array: numbers are dense, and a run's numbers follow each other.
 * Memory: 8 bytes for each distinct block and about 56 for each edge, of which there are at most two for each request.
 */
import type { HashId } from './request.js';

const NO_EDGE = -1;
const ROOT = 0;

/** Grows in steps that keep copying linear. */
export function grown(array: Int32Array<ArrayBuffer>, needed: number): Int32Array<ArrayBuffer>;
export function grown(array: Float64Array<ArrayBuffer>, needed: number): Float64Array<ArrayBuffer>;
export function grown(
  array: Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>,
  needed: number,
): Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer> {
  if (needed <= array.length) return array;
  const length = Math.max(needed, 2 * array.length);
  const larger = array instanceof Int32Array ? new Int32Array(length) : new Float64Array(length);
  larger.set(array);
  return larger;
}

/** Ids that numbers do not hold exactly, by number below zero. */
class LongIds {
  readonly #numbers = new Map<string | bigint, number>();

  numberOf(id: Exclude<HashId, number>): number {
    let number = this.#numbers.get(id);
    if (number === undefined) {
      number = -1 - this.#numbers.size;
      this.#numbers.set(id, number);
    }
    return number;
  }
}

export class PrefixTree {
  /** Distinct blocks so far. */
  numBlocks = 0;
  numEdges = 1;
  /** Of the last `walk`: its runs from the head. Block numbers of run i: starts[i], starts[i] + 1, ... */
  numRuns = 0;
  starts = new Int32Array(64);
  lengths = new Int32Array(64);
  /** What `walk` was given when the run was walked last; -1: the run is new. */
  tags = new Int32Array(64);
  /** By edge: the same, for who renumbers them. */
  edgeTags = new Int32Array(1024);

  #ids = new Float64Array(1024);
  #firsts = new Int32Array(1024);
  #counts = new Int32Array(1024);
  /** Open addressing: child edge by (edge before it, its first id). */
  #children = new Int32Array(4096).fill(NO_EDGE);
  #parents = new Int32Array(1024);
  readonly #long = new LongIds();

  /** Finds the request's blocks and adds those that are new; `tag` is kept at all of them. */
  walk(hashIds: readonly HashId[], tag: number): void {
    this.numRuns = 0;
    let edge = ROOT;
    for (let place = 0; place < hashIds.length;) {
      const child = this.#children[this.#slotOf(edge, this.#idAt(hashIds, place))] ?? 0;
      if (child === NO_EDGE) {
        this.#append(edge, hashIds, place, tag);
        return;
      }
      const first = this.#firsts[child] ?? 0;
      const most = Math.min(this.#counts[child] ?? 0, hashIds.length - place);
      let same = 1;
      while (same < most && this.#ids[first + same] === this.#idAt(hashIds, place + same)) same++;
      this.#note(first, same, this.edgeTags[child] ?? 0);
      edge = same < (this.#counts[child] ?? 0) ? this.#split(edge, child, same) : child;
      this.edgeTags[edge] = tag;
      place += same;
    }
  }

  /** The id of a block; ids that numbers do not hold exactly are numbered from -1 down. */
  idOf(block: number): number {
    return this.#ids[block] ?? 0;
  }

  /** Block numbers of the last `walk` from the head, into `path`, which is returned or a longer one. */
  path(path: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
    let at = 0;
    for (let run = 0; run < this.numRuns; run++) {
      const end = at + (this.lengths[run] ?? 0);
      path = grown(path, end);
      for (let block = this.starts[run] ?? 0; at < end; at++) path[at] = block++;
    }
    return path;
  }

  #idAt(hashIds: readonly HashId[], place: number): number {
    const id = hashIds[place];
    if (id === undefined) throw new RangeError(`id ${place} of ${hashIds.length}`);
    return typeof id === 'number' ? id : this.#long.numberOf(id);
  }

  #note(start: number, length: number, tag: number): void {
    if (this.numRuns === this.starts.length) {
      this.starts = grown(this.starts, this.numRuns + 1);
      this.lengths = grown(this.lengths, this.starts.length);
      this.tags = grown(this.tags, this.starts.length);
    }
    this.starts[this.numRuns] = start;
    this.lengths[this.numRuns] = length;
    this.tags[this.numRuns] = tag;
    this.numRuns++;
  }

  #append(parent: number, hashIds: readonly HashId[], place: number, tag: number): void {
    const length = hashIds.length - place;
    const first = this.numBlocks;
    this.#ids = grown(this.#ids, first + length);
    for (let offset = 0; offset < length; offset++)
      this.#ids[first + offset] = this.#idAt(hashIds, place + offset);
    this.numBlocks += length;
    this.#addEdge(parent, first, length, tag);
    this.#note(first, length, -1);
  }

  /** The first `length` blocks become an edge of their own, which is returned; the rest keeps its children. */
  #split(parent: number, edge: number, length: number): number {
    const first = this.#firsts[edge] ?? 0;
    const upper = this.#newEdge(parent, first, length, this.edgeTags[edge] ?? 0);
    this.#children[this.#slotOf(parent, this.#ids[first] ?? 0)] = upper;
    this.#firsts[edge] = first + length;
    this.#counts[edge] = (this.#counts[edge] ?? 0) - length;
    this.#parents[edge] = upper;
    this.#children[this.#slotOf(upper, this.#ids[first + length] ?? 0)] = edge;
    return upper;
  }

  #addEdge(parent: number, first: number, length: number, tag: number): void {
    const edge = this.#newEdge(parent, first, length, tag);
    this.#children[this.#slotOf(parent, this.#ids[first] ?? 0)] = edge;
  }

  #newEdge(parent: number, first: number, length: number, tag: number): number {
    const edge = this.numEdges++;
    if (edge >= this.#firsts.length) {
      this.#firsts = grown(this.#firsts, edge + 1);
      const size = this.#firsts.length;
      this.#counts = grown(this.#counts, size);
      this.#parents = grown(this.#parents, size);
      this.edgeTags = grown(this.edgeTags, size);
    }
    this.#firsts[edge] = first;
    this.#counts[edge] = length;
    this.#parents[edge] = parent;
    this.edgeTags[edge] = tag;
    if (2 * this.numEdges > this.#children.length) this.#rehash(edge);
    return edge;
  }

  #rehash(exceptEdge: number): void {
    this.#children = new Int32Array(2 * this.#children.length).fill(NO_EDGE);
    for (let edge = 1; edge < this.numEdges; edge++) {
      if (edge === exceptEdge) continue;
      const id = this.#ids[this.#firsts[edge] ?? 0] ?? 0;
      this.#children[this.#slotOf(this.#parents[edge] ?? 0, id)] = edge;
    }
  }

  /** Where that child is, or would be. */
  #slotOf(parent: number, id: number): number {
    const mask = this.#children.length - 1;
    let hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(id | 0, 0x85ebca6b);
    hash ^= Math.imul((id / 4294967296) | 0, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    let slot = (hash ^ (hash >>> 13)) & mask;
    for (;;) {
      const child = this.#children[slot] ?? 0;
      if (child === NO_EDGE) return slot;
      if (this.#parents[child] === parent && this.#ids[this.#firsts[child] ?? 0] === id) return slot;
      slot = (slot + 1) & mask;
    }
  }
}
