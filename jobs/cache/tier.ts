/** One tier: which block lies in which slot, and whose turn it is to go. */
import { Arc } from './arc.js';
import { BlockNumbers } from './block-memory.js';
import { Lru, Ttl } from './lru.js';
import type { EvictionPolicy, PolicyName } from './policy.js';
import { S3Fifo } from './s3fifo.js';
import { Slru } from './slru.js';
import { Pins } from './slot-lists.js';

export interface TierOptions {
  /** Blocks; 0: no such tier. */
  readonly capacity: number;
  readonly policy: PolicyName;
  /** Of policy ttl. */
  readonly ttlMs: number;
  /** A block enters at its use of this number or a later one; 1: at once. */
  readonly minUses: number;
}

function makePolicy({ policy, capacity, ttlMs }: TierOptions, numbers: BlockNumbers): EvictionPolicy {
  switch (policy) {
    case 'lru':
      return new Lru(capacity);
    case 's3fifo':
      return new S3Fifo(capacity);
    case 'slru':
      return new Slru(capacity);
    case 'arc':
      return new Arc(capacity, numbers);
    case 'ttl':
      return new Ttl(capacity, ttlMs);
  }
}

export class Tier {
  readonly capacity: number;
  readonly minUses: number;
  readonly pins: Pins;
  readonly #policy: EvictionPolicy;
  /** Above 0: slot of a block + 1. Below: what the policy remembers of a block that is not here. */
  readonly #numbers = new BlockNumbers();
  readonly #blocks: Int32Array;
  readonly #free: number[] = [];
  #fresh = 0;

  constructor(options: TierOptions) {
    this.capacity = options.capacity;
    this.minUses = options.minUses;
    this.pins = new Pins(options.capacity);
    this.#policy = makePolicy(options, this.#numbers);
    this.#blocks = new Int32Array(options.capacity);
  }

  /** -1: not here. */
  slotOf(block: number): number {
    const number = this.#numbers.get(block);
    return number > 0 ? number - 1 : -1;
  }

  blockAt(slot: number): number {
    return this.#blocks[slot] ?? 0;
  }

  /** A slot that is pinned already. */
  use(slot: number, timeMs: number): void {
    this.#policy.touch(slot, timeMs);
  }

  touch(slot: number, timeMs: number): void {
    this.#policy.touch(slot, timeMs);
    this.pins.pin(slot);
  }

  /** A slot for the block; -1: all are in use. What lay there before is in `victim` then, else -1. */
  victim = -1;
  take(block: number): number {
    this.victim = -1;
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#fresh < this.capacity) return this.#fresh++;
    const slot = this.#policy.evict(this.pins, this.#numbers.get(block));
    if (slot < 0) return -1;
    const victim = this.#blocks[slot] ?? 0;
    this.#numbers.set(victim, this.#policy.remember(victim));
    this.victim = victim;
    return slot;
  }

  /** `slot` is one that `take` gave. */
  put(slot: number, block: number, timeMs: number): void {
    this.#blocks[slot] = block;
    const remembered = this.#numbers.get(block);
    this.#numbers.set(block, slot + 1);
    this.#policy.insert(slot, remembered, timeMs);
    this.pins.pin(slot);
  }

  /** The slot is free again, unless it is so already. */
  forget(slot: number): void {
    const block = this.blockAt(slot);
    if (slot >= this.#fresh || this.#numbers.get(block) !== slot + 1) return;
    this.#policy.remove(slot);
    this.#numbers.set(block, 0);
    this.#free.push(slot);
  }

  /** What nobody used for too long leaves, and is kept nowhere. Returns how many blocks did. */
  expire(timeMs: number): number {
    let count = 0;
    for (let slot = this.#policy.expire(timeMs); slot >= 0; slot = this.#policy.expire(timeMs)) {
      this.#numbers.set(this.blockAt(slot), 0);
      this.#free.push(slot);
      count++;
    }
    return count;
  }
}
