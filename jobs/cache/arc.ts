/**
 * ARC (Megiddo and Modha, FAST 2003): one list of blocks used once, one of those used again, and for each the blocks
 * evicted from it; hits among the evicted move the boundary between the two.
 */
import { BlockNumbers } from './block-memory.js';
import { neverExpires, type EvictionPolicy } from './policy.js';
import { SlotLists, takeTail, type Pins } from './slot-lists.js';

const ONCE = 0;
const AGAIN = 1;

/** Blocks evicted from each list, latest first. */
class Ghosts {
  readonly #lists: SlotLists;
  readonly #blocks: Int32Array;
  /** Place of a block + 1. */
  readonly #places = new BlockNumbers();
  readonly #free: number[];

  constructor(most: number) {
    this.#lists = new SlotLists(most, 2);
    this.#blocks = new Int32Array(most);
    this.#free = Array.from({ length: most }, (_, place) => most - 1 - place);
  }

  size(list: number): number {
    return this.#lists.sizes[list] ?? 0;
  }

  listOf(block: number): number {
    const place = this.#places.get(block);
    return place === 0 ? -1 : this.#lists.listOf(place - 1);
  }

  add(list: number, block: number): void {
    const place = this.#free.pop();
    if (place === undefined) throw new RangeError('more evicted blocks than ARC remembers');
    this.#blocks[place] = block;
    this.#places.set(block, place + 1);
    this.#lists.pushHead(list, place);
  }

  remove(block: number): void {
    const place = this.#places.get(block) - 1;
    this.#lists.remove(place);
    this.#places.set(block, 0);
    this.#free.push(place);
  }

  dropOldest(list: number): void {
    const place = this.#lists.tail(list);
    if (place >= 0) this.remove(this.#blocks[place] ?? 0);
  }
}

export class Arc implements EvictionPolicy {
  readonly #capacity: number;
  readonly #lists: SlotLists;
  readonly #blocks: Int32Array;
  readonly #ghosts: Ghosts;
  /** Blocks that the list of those used once is to have. */
  #target = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#lists = new SlotLists(capacity, 2);
    this.#blocks = new Int32Array(capacity);
    this.#ghosts = new Ghosts(2 * capacity + 2);
  }

  insert(slot: number, block: number): void {
    this.#blocks[slot] = block;
    const ghost = this.#ghosts.listOf(block);
    if (ghost >= 0) {
      this.#adapt(ghost);
      this.#ghosts.remove(block);
    }
    this.#lists.pushHead(ghost >= 0 ? AGAIN : ONCE, slot);
    this.#forget();
  }

  touch(slot: number): void {
    this.#lists.moveToHead(AGAIN, slot);
  }

  evict(pins: Pins, incoming: number): number {
    const ghost = this.#ghosts.listOf(incoming);
    const once = this.#lists.sizes[ONCE] ?? 0;
    const target = this.#targetAfter(ghost);
    const first = once > 0 && (once > target || (ghost === AGAIN && once === target)) ? ONCE : AGAIN;
    const slot = this.#give(first, pins);
    return slot >= 0 ? slot : this.#give(1 - first, pins);
  }

  #give(list: number, pins: Pins): number {
    const slot = takeTail(this.#lists, list, pins);
    if (slot >= 0) this.#ghosts.add(list, this.#blocks[slot] ?? 0);
    return slot;
  }

  remove(slot: number): void {
    this.#lists.remove(slot);
  }

  expire = neverExpires;

  #adapt(ghost: number): void {
    this.#target = this.#targetAfter(ghost);
  }

  /** The boundary as a hit among the evicted of that list leaves it. */
  #targetAfter(ghost: number): number {
    if (ghost < 0) return this.#target;
    const [own, other] = [this.#ghosts.size(ghost), this.#ghosts.size(1 - ghost)];
    const step = Math.max(1, Math.floor(other / own));
    const moved = ghost === ONCE ? this.#target + step : this.#target - step;
    return Math.min(this.#capacity, Math.max(0, moved));
  }

  /** At most `capacity` blocks are known that were used once, and twice that many in all. */
  #forget(): void {
    const [once, again] = [this.#lists.sizes[ONCE] ?? 0, this.#lists.sizes[AGAIN] ?? 0];
    while (once + this.#ghosts.size(ONCE) > this.#capacity && this.#ghosts.size(ONCE) > 0) {
      this.#ghosts.dropOldest(ONCE);
    }
    const most = 2 * this.#capacity - once - again;
    while (this.#ghosts.size(ONCE) + this.#ghosts.size(AGAIN) > most) this.#ghosts.dropOldest(AGAIN);
  }
}
