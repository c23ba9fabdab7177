/** What decides which block a tier gives away. Policies see slots and blocks; they know no tiers and move no bytes. */
import type { Pins } from './slot-lists.js';

export interface EvictionPolicy {
  /** `slot`, which was in use for nothing, holds `block` from now on. */
  insert(slot: number, block: number, timeMs: number): void;
  /** `slot` was used again. */
  touch(slot: number, timeMs: number): void;
  /** A slot that is not pinned, no longer the policy's; -1: all are. `incoming`: the block that needs the room. */
  evict(pins: Pins, incoming: number): number;
  /** `slot` holds nothing any more, and is no longer the policy's. */
  remove(slot: number): void;
  /** A slot whose block is too old, no longer the policy's; -1: none. Called until it says so. */
  expire(timeMs: number): number;
}

export const POLICY_NAMES = ['lru', 's3fifo', 'slru', 'arc', 'ttl'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/** For policies without time. */
export const neverExpires = (): number => -1;
