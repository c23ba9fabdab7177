/**
 * ARC (Megiddo and Modha, FAST 2003): one list of blocks used once, one of those used again, and for each the blocks
 * evicted from it; hits among the evicted move the boundary between the two.
 */
import type { BlockNumbers } from './block-memory.js';
import { neverExpires, type EvictionPolicy } from './policy.js';
import { SlotLists, takeTail, type Pins } from './slot-lists.js';

const ONCE = 0;
const AGAIN = 1;

/**
 * Blocks evicted from one list, oldest first. A removed one leaves its place empty, which others skip on their way
 * out. What is remembered of a block: its place in the ring, and by being odd or even, which ring.
 */
class GhostRing {
  /** Twice as many places as blocks, so that it is seldom cleared of empty ones. */
  readonly #blocks: Int32Array;
  readonly #mask: number;
  readonly #numbers: BlockNumbers;
  readonly #list: number;
  #first = 0;
  #used = 0;
  size = 0;

  constructor(most: number, numbers: BlockNumbers, list: number) {
    const length = 2 ** Math.ceil(Math.log2(2 * most));
    this.#blocks = new Int32Array(length);
    this.#mask = length - 1;
    this.#numbers = numbers;
    this.#list = list;
  }

  /** The number to be remembered of the block. */
  add(block: number): number {
    if (this.#used > this.#mask) this.#clear();
    this.size++;
    return this.#enter(block);
  }

  #enter(block: number): number {
    const place = (this.#first + this.#used++) & this.#mask;
    this.#blocks[place] = block;
    return -1 - (2 * place + this.#list);
  }

  dropOldest(): void {
    for (let block = -1; block < 0 && this.size > 0;) {
      block = this.#shift();
      if (block < 0) continue;
      this.#numbers.set(block, 0);
      this.size--;
    }
  }

  /** -1: the place was empty. */
  #shift(): number {
    const place = this.#first;
    const block = this.#blocks[place] ?? 0;
    this.#first = (place + 1) & this.#mask;
    this.#used--;
    return this.#numbers.get(block) === -1 - (2 * place + this.#list) ? block : -1;
  }

  #clear(): void {
    for (let left = this.#used; left > 0; left--) {
      const block = this.#shift();
      if (block >= 0) this.#numbers.set(block, this.#enter(block));
    }
  }
}

/** The list that a remembered block was in; -1: nothing is remembered. */
const listOf = (remembered: number): number => (remembered < 0 ? (-1 - remembered) & 1 : -1);

export class Arc implements EvictionPolicy {
  readonly #capacity: number;
  readonly #lists: SlotLists;
  readonly #once: GhostRing;
  readonly #again: GhostRing;
  /** Blocks that the list of those used once is to have. */
  #target = 0;
  #gaveFrom = ONCE;

  /** `numbers`: where what is remembered of blocks is kept. */
  constructor(capacity: number, numbers: BlockNumbers) {
    this.#capacity = capacity;
    this.#lists = new SlotLists(capacity, 2);
    this.#once = new GhostRing(2 * capacity + 2, numbers, ONCE);
    this.#again = new GhostRing(2 * capacity + 2, numbers, AGAIN);
  }

  /** The block's number is that of its slot by now: so its place among the evicted is empty. */
  insert(slot: number, remembered: number): void {
    const ghost = listOf(remembered);
    if (ghost >= 0) {
      this.#target = this.#targetAfter(ghost);
      (ghost === ONCE ? this.#once : this.#again).size--;
    }
    this.#lists.pushHead(ghost >= 0 ? AGAIN : ONCE, slot);
    this.#forget();
  }

  touch(slot: number): void {
    this.#lists.moveToHead(AGAIN, slot);
  }

  evict(pins: Pins, remembered: number): number {
    const ghost = listOf(remembered);
    const once = this.#lists.sizes[ONCE] ?? 0;
    const target = this.#targetAfter(ghost);
    const first = once > 0 && (once > target || (ghost === AGAIN && once === target)) ? ONCE : AGAIN;
    const slot = this.#give(first, pins);
    return slot >= 0 ? slot : this.#give(1 - first, pins);
  }

  #give(list: number, pins: Pins): number {
    this.#gaveFrom = list;
    return takeTail(this.#lists, list, pins);
  }

  remember(block: number): number {
    return (this.#gaveFrom === ONCE ? this.#once : this.#again).add(block);
  }

  remove(slot: number): void {
    this.#lists.remove(slot);
  }

  expire = neverExpires;

  /** The boundary as a hit among the evicted of that list leaves it. */
  #targetAfter(ghost: number): number {
    if (ghost < 0) return this.#target;
    const [once, again] = [this.#once.size, this.#again.size];
    return ghost === ONCE
      ? Math.min(this.#capacity, this.#target + Math.max(1, Math.floor(again / once)))
      : Math.max(0, this.#target - Math.max(1, Math.floor(once / again)));
  }

  /** At most `capacity` blocks are known that were used once, and twice that many in all. */
  #forget(): void {
    const { sizes } = this.#lists;
    const once = sizes[ONCE] ?? 0;
    while (once + this.#once.size > this.#capacity && this.#once.size > 0) this.#once.dropOldest();
    const most = 2 * this.#capacity - once - (sizes[AGAIN] ?? 0);
    while (this.#once.size + this.#again.size > most) this.#again.dropOldest();
  }
}
