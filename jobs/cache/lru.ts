/** Least recently used, and the same with a time to live. */
import { neverExpires, remembersNothing, type EvictionPolicy } from './policy.js';
import { SlotLists, takeTail, type Pins } from './slot-lists.js';

export class Lru implements EvictionPolicy {
  readonly #lists: SlotLists;

  constructor(capacity: number) {
    this.#lists = new SlotLists(capacity, 1);
  }

  insert(slot: number): void {
    this.#lists.pushHead(0, slot);
  }

  touch(slot: number): void {
    this.#lists.moveToHead(0, slot);
  }

  evict(pins: Pins): number {
    return takeTail(this.#lists, 0, pins);
  }

  remember = remembersNothing;

  remove(slot: number): void {
    this.#lists.remove(slot);
  }

  expire = neverExpires;
}

/** Least recently used; blocks unused for `ttlMs` are evicted even if the cache is not full. */
export class Ttl implements EvictionPolicy {
  readonly #lists: SlotLists;
  readonly #usedMs: Float64Array;
  readonly #ttlMs: number;

  constructor(capacity: number, ttlMs: number) {
    this.#lists = new SlotLists(capacity, 1);
    this.#usedMs = new Float64Array(capacity);
    this.#ttlMs = ttlMs;
  }

  insert(slot: number, _remembered: number, timeMs: number): void {
    this.#usedMs[slot] = timeMs;
    this.#lists.pushHead(0, slot);
  }

  touch(slot: number, timeMs: number): void {
    this.#usedMs[slot] = timeMs;
    this.#lists.moveToHead(0, slot);
  }

  evict(pins: Pins): number {
    return takeTail(this.#lists, 0, pins);
  }

  remember = remembersNothing;

  remove(slot: number): void {
    this.#lists.remove(slot);
  }

  expire(timeMs: number): number {
    const slot = this.#lists.tail(0);
    if (slot < 0 || timeMs - (this.#usedMs[slot] ?? 0) <= this.#ttlMs) return -1;
    this.#lists.remove(slot);
    return slot;
  }
}
