/**
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson, SOSP 2023): a small queue that most blocks leave at once, a main queue for
 * those used again, and a queue of the evicted that lets a block into the main queue when it comes back.
 */
import { GhostQueue } from './block-memory.js';
import { neverExpires, type EvictionPolicy } from './policy.js';
import { SlotLists, type Pins } from './slot-lists.js';

const SMALL = 0;
const MAIN = 1;
const SMALL_SHARE = 0.1;
const MOST_USES = 3;
/** Uses in the small queue that lead to the main one. */
const USES_TO_STAY = 2;

export class S3Fifo implements EvictionPolicy {
  readonly #lists: SlotLists;
  readonly #uses: Uint8Array;
  readonly #blocks: Int32Array;
  readonly #ghosts: GhostQueue;
  readonly #smallTarget: number;

  constructor(capacity: number) {
    this.#lists = new SlotLists(capacity, 2);
    this.#uses = new Uint8Array(capacity);
    this.#blocks = new Int32Array(capacity);
    this.#smallTarget = Math.max(1, Math.floor(SMALL_SHARE * capacity));
    this.#ghosts = new GhostQueue(capacity - this.#smallTarget);
  }

  insert(slot: number, block: number): void {
    this.#uses[slot] = 0;
    this.#blocks[slot] = block;
    this.#lists.pushHead(this.#ghosts.take(block) ? MAIN : SMALL, slot);
  }

  touch(slot: number): void {
    this.#uses[slot] = Math.min(MOST_USES, (this.#uses[slot] ?? 0) + 1);
  }

  evict(pins: Pins): number {
    const { sizes } = this.#lists;
    let [pinnedSmall, pinnedMain] = [0, 0];
    for (;;) {
      const [small, main] = [sizes[SMALL] ?? 0, sizes[MAIN] ?? 0];
      const [isSmallOpen, isMainOpen] = [pinnedSmall < small, pinnedMain < main];
      if (!isSmallOpen && !isMainOpen) return -1;
      const isSmall = isSmallOpen && (small >= this.#smallTarget || !isMainOpen);
      const list = isSmall ? SMALL : MAIN;
      const slot = this.#lists.tail(list);
      if (pins.has(slot)) {
        // In use: behind all others of its queue. A queue of only such slots has nothing to give.
        this.#lists.moveToHead(list, slot);
        if (isSmall) pinnedSmall++;
        else pinnedMain++;
        continue;
      }
      if (isSmall) pinnedSmall = 0;
      else pinnedMain = 0;
      if (this.#goes(list, slot)) return slot;
    }
  }

  /** Whether the slot at that queue's tail goes; else it was moved. */
  #goes(list: number, slot: number): boolean {
    const uses = this.#uses[slot] ?? 0;
    if (list === SMALL ? uses >= USES_TO_STAY : uses > 0) {
      this.#uses[slot] = list === SMALL ? 0 : uses - 1;
      this.#lists.moveToHead(MAIN, slot);
      return false;
    }
    this.#lists.remove(slot);
    if (list === SMALL) this.#ghosts.add(this.#blocks[slot] ?? 0);
    return true;
  }

  remove(slot: number): void {
    this.#lists.remove(slot);
  }

  expire = neverExpires;
}
