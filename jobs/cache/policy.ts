/** What decides which block a tier gives away. Policies see slots and blocks; they know no tiers and move no bytes. */
import type { Pins } from './slot-lists.js';

export interface EvictionPolicy {
  /** `slot`, which was in use for nothing, holds a block from now on, of which `remembered` is remembered. */
  insert(slot: number, remembered: number, timeMs: number): void;
  /** `slot` was used again. */
  touch(slot: number, timeMs: number): void;
  /**
   * A slot that is not pinned, no longer the policy's; -1: all are. `remembered`: of the block that needs the room.
   */
  evict(pins: Pins, remembered: number): number;
  /** What to remember of the block that lay in the slot which `evict` gave: a number below 0; 0: nothing. */
  remember(block: number): number;
  /** `slot` holds nothing any more, and is no longer the policy's. */
  remove(slot: number): void;
  /** A slot whose block is too old, no longer the policy's; -1: none. Called until it says so. */
  expire(timeMs: number): number;
}

export const POLICY_NAMES = ['lru', 's3fifo', 'slru', 'arc', 'ttl'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/** For policies without time. */
export const neverExpires = (): number => -1;
/** For policies that know nothing of what they gave away. */
export const remembersNothing = (): number => 0;
