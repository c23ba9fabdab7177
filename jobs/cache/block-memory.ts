/** What is remembered of blocks that a cache does not hold: a number for each block, and queues of evicted ones. */
import { grown } from '../traces/prefix-tree.js';

const NUMBERS = 2 ** 30 - 1;

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
 * The last `capacity` blocks that entered a queue, which is never looked through: a block is given a number when it
 * enters, and its number says whether it is among them. Numbers restart after 2^30.
 */
export class GhostQueue {
  readonly #capacity: number;
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The number of the block that enters now, below 0. */
  enter(): number {
    this.#count = (this.#count + 1) & NUMBERS;
    return -1 - this.#count;
  }

  /** Whether the block with that number is there; 0: it never entered, or was taken out. */
  has(number: number): boolean {
    return number < 0 && ((this.#count - (-1 - number)) & NUMBERS) < this.#capacity;
  }
}
