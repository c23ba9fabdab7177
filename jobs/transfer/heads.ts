/**
 * Tensor parallelism as data: which heads a rank holds, and which rank gives them to which. Sizes of instances are
 * powers of two or at least divide or are multiples of the heads, as splitGroups of jobs/kv/models demands.
 */
import type { KvGroup } from '../kv/models/geometry.js';

/** Heads [begin, end), counted over the whole model. */
export interface Heads {
  readonly begin: number;
  readonly end: number;
}

const NONE: Heads = { begin: 0, end: 0 };

/** Whether the group's regions are cut by heads. Latents, index keys and single heads are whole on every rank. */
export function isSplit(group: KvGroup): boolean {
  return group.kind === 'kv' && group.kvHeads > 1;
}

/** What place `place` of an instance of `size` ranks holds of a group of the whole model. */
export function heldHeads(group: KvGroup, size: number, place: number): Heads {
  if (!isSplit(group)) return { begin: 0, end: 1 };
  const { kvHeads } = group;
  if (size > kvHeads) {
    const head = Math.floor((place * kvHeads) / size);
    return { begin: head, end: head + 1 };
  }
  const each = kvHeads / size;
  return { begin: place * each, end: (place + 1) * each };
}

/** Ranks of an instance that hold the same heads. */
function copiesOf(group: KvGroup, size: number): number {
  return isSplit(group) ? Math.max(1, size / group.kvHeads) : size;
}

/** Sizes of the two instances, and a rank's place in each. */
export interface RankPair {
  readonly sourceSize: number;
  readonly sourcePlace: number;
  readonly targetSize: number;
  readonly targetPlace: number;
  /** Index of the target's instance. */
  readonly targetInstance: number;
}

/**
 * Heads of the group that place `sourcePlace` of the source gives to place `targetPlace` of the target: those that both
 * hold. Of several source ranks that hold the same heads exactly one gives them, and targets take turns among these, so
 * that copies share the work. Begin = end: nothing.
 */
export function givenHeads(group: KvGroup, pair: RankPair): Heads {
  const source = heldHeads(group, pair.sourceSize, pair.sourcePlace);
  const target = heldHeads(group, pair.targetSize, pair.targetPlace);
  const begin = Math.max(source.begin, target.begin);
  const end = Math.min(source.end, target.end);
  if (begin >= end) return NONE;
  const copies = copiesOf(group, pair.sourceSize);
  const takers = copiesOf(group, pair.targetSize);
  const turn = pair.targetInstance * takers + (pair.targetPlace % takers);
  return turn % copies === pair.sourcePlace % copies ? { begin, end } : NONE;
}
