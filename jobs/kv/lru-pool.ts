/** Hands out block ids as a serving engine's prefix cache does: free ones first, then those longest untouched. */
import { shuffledIds, type Random } from './random.js';
import type { HashId } from '../traces/request.js';

/**
 * Ids lie in groups of `groupBlocks` neighbours, what one hash id needs: pages of one prefix block are taken and
 * given back together, so neighbours stay neighbours. The groups' first order is shuffled, as in a pool that has
 * been in use; in a fresh one, source and target ids would be the same numbers.
 */
export class LruPool {
  readonly #capacity: number;
  readonly #groupBlocks: number;
  /** Groups never handed out yet, next one last. */
  readonly #free: number[];
  /** Hash id -> group, longest untouched first. */
  readonly #groups = new Map<HashId, number>();

  constructor(capacity: number, groupBlocks: number, random: Random) {
    this.#capacity = capacity;
    this.#groupBlocks = groupBlocks;
    const numGroups = Math.ceil(capacity / groupBlocks);
    this.#free = [...shuffledIds(numGroups, numGroups, random)].reverse();
  }

  /** Ids of that hash id's blocks; a group at the pool's end can be short. */
  touch(hashId: HashId): number[] {
    let group = this.#groups.get(hashId);
    if (group === undefined) group = this.#free.pop() ?? this.#evict();
    this.#groups.delete(hashId);
    this.#groups.set(hashId, group);
    const first = group * this.#groupBlocks;
    const length = Math.min(this.#groupBlocks, this.#capacity - first);
    return Array.from({ length }, (_, page) => first + page);
  }

  #evict(): number {
    const [oldest] = this.#groups;
    if (oldest === undefined) throw new RangeError('a pool of 0 blocks has none to hand out');
    this.#groups.delete(oldest[0]);
    return oldest[1];
  }
}
