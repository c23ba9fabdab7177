/** Segmented LRU (Karedla, Love, Wherry 1994): what was used twice is protected from what was used once. */
import { neverExpires, remembersNothing, type EvictionPolicy } from './policy.js';
import { SlotLists, takeTail, type Pins } from './slot-lists.js';

const PROBATION = 0;
const PROTECTED = 1;
/** Share of the capacity that protected blocks may have. */
const PROTECTED_SHARE = 0.8;

export class Slru implements EvictionPolicy {
  readonly #lists: SlotLists;
  readonly #mostProtected: number;

  constructor(capacity: number) {
    this.#lists = new SlotLists(capacity, 2);
    this.#mostProtected = Math.floor(PROTECTED_SHARE * capacity);
  }

  insert(slot: number): void {
    this.#lists.pushHead(PROBATION, slot);
  }

  touch(slot: number): void {
    this.#lists.moveToHead(PROTECTED, slot);
    if ((this.#lists.sizes[PROTECTED] ?? 0) <= this.#mostProtected) return;
    this.#lists.moveToHead(PROBATION, this.#lists.tail(PROTECTED));
  }

  evict(pins: Pins): number {
    const slot = takeTail(this.#lists, PROBATION, pins);
    return slot >= 0 ? slot : takeTail(this.#lists, PROTECTED, pins);
  }

  remember = remembersNothing;

  remove(slot: number): void {
    this.#lists.remove(slot);
  }

  expire = neverExpires;
}
