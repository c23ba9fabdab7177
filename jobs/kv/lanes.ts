/** The directions of a point as the native side takes them, and what each leaves in the pools. */
import type {
  NativePool,
  PoolContent,
  Tier,
  TransferLane,
  TransferredBlocks,
} from '../../runner/native/types/index.js';
import type { BlockIds, BlockOrder } from './block-order.js';
import type { KvSpec } from './spec.generated.js';
import { allBlocks } from './sections.js';
import { valueOf } from '../../runner/values/items.js';

export interface Lane {
  readonly from: Tier;
  readonly to: Tier;
  readonly ids: BlockIds;
}

/** One direction, or two where the job is bidirectional. */
export function lanesOf(spec: KvSpec, order: BlockOrder): Lane[] {
  const forward = { from: spec.from, to: spec.to, ids: order.forward };
  if (order.reverse === null) return [forward];
  return [forward, { from: spec.to, to: spec.from, ids: order.reverse }];
}

export function nativeLane(spec: KvSpec, lane: Lane, pools: ReadonlyMap<Tier, NativePool>): TransferLane {
  const [layerBegin, layerEnd] = spec.layerRange;
  return {
    source: valueOf(pools, lane.from),
    target: valueOf(pools, lane.to),
    ...lane.ids,
    layerBegin,
    layerEnd,
  };
}

/** What the native side compares with behind the last sample. */
export function transferredBlocks(spec: KvSpec, lane: Lane): TransferredBlocks {
  const [layerBegin, layerEnd] = spec.layerRange;
  return { from: lane.from, ...lane.ids, layerBegin, layerEnd };
}

/**
 * What a tier holds before the first sample. A pool that is read holds patterns everywhere but where the other
 * direction writes; one that is only written holds poison everywhere.
 */
export function contentBefore(spec: KvSpec, tier: Tier, lanes: readonly Lane[], owner: number): PoolContent {
  const base = { seed: spec.seed, owner, poisonSalt: spec.seed };
  const read = lanes.some((lane) => lane.from === tier);
  if (!read) return { ...base, filled: new Int32Array() };
  const written = lanes.filter((lane) => lane.to === tier).flatMap((lane) => [...lane.ids.targetIds]);
  if (written.length === 0) return { ...base, filled: null };
  const isWritten = new Set(written);
  const all = Int32Array.from({ length: allBlocks(spec, tier) }, (_, block) => block);
  return { ...base, filled: all.filter((block) => !isWritten.has(block)) };
}
