/**
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson, SOSP 2023): a small queue that most blocks leave at once, a main queue for
 * those used again, and a queue of the evicted that lets a block into the main queue when it comes back.
 */
import { GhostQueue } from './block-memory.js';
import { neverExpires, type EvictionPolicy } from './policy.js';
import type { Pins } from './slot-lists.js';

const SMALL_SHARE = 0.1;
const MOST_USES = 3;
/** Uses in the small queue that lead to the main one. */
const USES_TO_STAY = 2;

/** Slots in the order in which they came; a ring, since each enters and leaves at an end. */
class SlotQueue {
  readonly #slots: Int32Array;
  readonly #mask: number;
  #first = 0;
  size = 0;

  constructor(most: number) {
    const length = 2 ** Math.ceil(Math.log2(Math.max(1, most)));
    this.#slots = new Int32Array(length);
    this.#mask = length - 1;
  }

  push(slot: number): void {
    this.#slots[(this.#first + this.size++) & this.#mask] = slot;
  }

  /** Of a queue that is not empty. */
  shift(): number {
    const slot = this.#slots[this.#first] ?? 0;
    this.#first = (this.#first + 1) & this.#mask;
    this.size--;
    return slot;
  }

  /** Whether it was there. In time of the queue's length: for what seldom happens. */
  remove(slot: number): boolean {
    const before = this.size;
    for (let seen = 0; seen < before; seen++) {
      const each = this.shift();
      if (each !== slot) this.push(each);
    }
    return this.size < before;
  }
}

export class S3Fifo implements EvictionPolicy {
  readonly #small: SlotQueue;
  readonly #main: SlotQueue;
  readonly #uses: Uint8Array;
  readonly #ghosts: GhostQueue;
  readonly #smallTarget: number;
  /** Whether the slot given away last was in the small queue. */
  #gaveSmall = false;

  constructor(capacity: number) {
    this.#small = new SlotQueue(capacity);
    this.#main = new SlotQueue(capacity);
    this.#uses = new Uint8Array(capacity);
    this.#smallTarget = Math.max(1, Math.floor(SMALL_SHARE * capacity));
    this.#ghosts = new GhostQueue(capacity - this.#smallTarget);
  }

  insert(slot: number, remembered: number): void {
    this.#uses[slot] = 0;
    if (this.#ghosts.has(remembered)) this.#main.push(slot);
    else this.#small.push(slot);
  }

  touch(slot: number): void {
    const uses = this.#uses[slot] ?? 0;
    if (uses < MOST_USES) this.#uses[slot] = uses + 1;
  }

  evict(pins: Pins): number {
    const [small, main] = [this.#small, this.#main];
    let pinnedSmall = 0;
    let pinnedMain = 0;
    for (;;) {
      const isSmallOpen = pinnedSmall < small.size;
      const isMainOpen = pinnedMain < main.size;
      if (!isSmallOpen && !isMainOpen) return -1;
      const isSmall = isSmallOpen && (small.size >= this.#smallTarget || !isMainOpen);
      const slot = isSmall ? small.shift() : main.shift();
      if (pins.has(slot)) {
        // In use: behind all others of its queue. A queue of only such slots has nothing to give.
        if (isSmall) {
          small.push(slot);
          pinnedSmall++;
        } else {
          main.push(slot);
          pinnedMain++;
        }
        continue;
      }
      if (isSmall) pinnedSmall = 0;
      else pinnedMain = 0;
      if (!(isSmall ? this.#leavesSmall(slot) : this.#leavesMain(slot))) continue;
      this.#gaveSmall = isSmall;
      return slot;
    }
  }

  /** Whether the slot goes; else it is in the main queue now. */
  #leavesSmall(slot: number): boolean {
    if ((this.#uses[slot] ?? 0) < USES_TO_STAY) return true;
    this.#uses[slot] = 0;
    this.#main.push(slot);
    return false;
  }

  #leavesMain(slot: number): boolean {
    const uses = this.#uses[slot] ?? 0;
    if (uses === 0) return true;
    this.#uses[slot] = uses - 1;
    this.#main.push(slot);
    return false;
  }

  remember(): number {
    return this.#gaveSmall ? this.#ghosts.enter() : 0;
  }

  remove(slot: number): void {
    if (!this.#small.remove(slot)) this.#main.remove(slot);
  }

  expire = neverExpires;
}
