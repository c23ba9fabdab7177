/** What is remembered of blocks that a cache does not hold: a number for each block, and queues of evicted ones. */
import { grown } from '../traces/prefix-tree.js';

/** A whole number for each block, 0 at first. */
export class BlockNumbers {
  #numbers = new Int32Array(1024);

  get(block: number): number {
    return this.#numbers[block] ?? 0;
  }

  set(block: number, value: number): void {
    if (block >= this.#numbers.length) this.#numbers = grown(this.#numbers, block + 1);
    this.#numbers[block] = value;
  }
}

/**
 * The last `capacity` blocks that entered a queue. One that is taken out leaves its place in the queue empty, which
 * others pass on their way out.
 */
export class GhostQueue {
  readonly #capacity: number;
  readonly #entered = new BlockNumbers();
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(block: number): void {
    this.#entered.set(block, ++this.#count);
  }

  /** Whether it was there; takes it out. */
  take(block: number): boolean {
    const entered = this.#entered.get(block);
    if (entered === 0) return false;
    this.#entered.set(block, 0);
    return this.#count - entered < this.#capacity;
  }
}
