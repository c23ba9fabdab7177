/**
 * Hits of every LRU capacity at once, exactly, from stack distances (Mattson et al. 1970).
 *
 * The rule: a request looks its blocks up from the head; what is found is pinned while room is made for the rest; when
 * it is served its blocks are the most recent ones, head before tail, so a tail goes before its head. Then the blocks
 * that a cache of C holds are always the first C of one stack, and a block hits where it stands among them.
 *
 * Blocks that a request touched last stand together in the stack and are, of that request's path, a run up to its end:
 * whatever came later shares a prefix of it. So the stack is kept as counts of blocks by request (a Fenwick tree over
 * live requests), and a run of hits is a range of consecutive distances: the work is by runs, not by blocks, once the
 * prefix tree has compared the ids. Memory is linear in distinct blocks: of requests, those that still own a block.
 */
import { grown, type PrefixTree } from '../traces/prefix-tree.js';

const FIRST_TAGS = 1 << 12;

export class StackDistances {
  /** Tags are given out from 1, one for each request; renumbered when they run out. */
  #nextTag = 1;
  #numTags = FIRST_TAGS;
  /** Fenwick tree over tags: blocks last touched by the request of that tag. */
  #counts = new Int32Array(FIRST_TAGS + 1);
  #total = 0;
  /** By distance, as differences: blocks found there. */
  #hits = new Float64Array(1024);
  readonly #tree: PrefixTree;

  constructor(tree: PrefixTree) {
    this.#tree = tree;
  }

  /** The tag to walk the tree with for the next request. */
  nextTag(): number {
    if (this.#nextTag > this.#numTags) this.#renumber();
    return this.#nextTag;
  }

  /**
   * Moves the blocks of the request that the tree has just walked to the top. Counts its hits where `counted`.
   * Returns the distance of its last block, 0 where that one is new.
   */
  touch(counted: boolean): number {
    const { lengths, tags, numRuns } = this.#tree;
    let [moved, last] = [0, 0];
    for (let run = 0; run < numRuns; run++) {
      const length = lengths[run] ?? 0;
      const tag = tags[run] ?? 0;
      if (tag >= 0) {
        // Above it: of this request's blocks those before the run, and what was touched later than the run.
        const above = moved + this.#total - this.#upTo(tag);
        if (counted) {
          const end = above + length + 1;
          if (end >= this.#hits.length) this.#hits = grown(this.#hits, end + 1);
          this.#hits[above + 1] = (this.#hits[above + 1] ?? 0) + 1;
          this.#hits[end] = (this.#hits[end] ?? 0) - 1;
        }
        last = above + length;
        this.#add(tag, -length);
        this.#total -= length;
      } else {
        last = 0;
      }
      moved += length;
    }
    this.#add(this.#nextTag++, moved);
    this.#total += moved;
    return last;
  }

  /** Element C: hits of a cache of C blocks. Its last element is that of one without bounds. */
  curve(): Float64Array {
    const curve = new Float64Array(this.#tree.numBlocks + 1);
    let [atDistance, hits] = [0, 0];
    for (let distance = 1; distance < curve.length; distance++) {
      atDistance += this.#hits[distance] ?? 0;
      hits += atDistance;
      curve[distance] = hits;
    }
    return curve;
  }

  #add(tag: number, count: number): void {
    const [counts, end] = [this.#counts, this.#numTags];
    for (let at = tag; at <= end; at += at & -at) counts[at] = (counts[at] ?? 0) + count;
  }

  #upTo(tag: number): number {
    const counts = this.#counts;
    let sum = 0;
    for (let at = tag; at > 0; at &= at - 1) sum += counts[at] ?? 0;
    return sum;
  }

  /** Requests that own no block any more lose their tags; the order of the others stays. */
  #renumber(): void {
    const { edgeTags, numEdges } = this.#tree;
    const isLive = new Uint8Array(this.#numTags + 1);
    for (let edge = 1; edge < numEdges; edge++) isLive[edgeTags[edge] ?? 0] = 1;
    const renumbered = new Int32Array(this.#numTags + 1);
    const owned: number[] = [0];
    for (let tag = 1; tag <= this.#numTags; tag++) {
      if (isLive[tag] !== 1) continue;
      renumbered[tag] = owned.length;
      owned.push(this.#upTo(tag) - this.#upTo(tag - 1));
    }
    for (let edge = 1; edge < numEdges; edge++) {
      edgeTags[edge] = renumbered[edgeTags[edge] ?? 0] ?? 0;
    }
    this.#nextTag = owned.length;
    this.#numTags = Math.max(FIRST_TAGS, 2 * owned.length);
    this.#counts = new Int32Array(this.#numTags + 1);
    for (let tag = 1; tag < owned.length; tag++) this.#add(tag, owned[tag] ?? 0);
  }
}
