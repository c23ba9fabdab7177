/** Bytes and memory of one rank, from the spec alone. */
import type { PlanPlace, PointPlan } from '../../runner/job-spec/spec-kind.js';
import type { Tier } from '../../runner/native/types/index.js';
import { blockBytes, regionGroups } from './layout.js';
import type { KvSpec } from './kv-spec.js';
import { tierSizes } from './sections.js';

/** Whether this rank holds a pool of that tier: in replicated mode the root alone has host and disk. */
export function holdsTier(spec: KvSpec, tier: Tier, rank: number): boolean {
  if (spec.from !== tier && spec.to !== tier) return false;
  if (spec.mode === 'sharded' || rank === spec.root) return true;
  // independent is what one has without replicated mode: every rank its own tiers.
  return (tier === 'device' && spec.to === 'device') || spec.strategy === 'independent';
}

/** Bytes without padding that the job moves in one direction. */
export function directionBytes(spec: KvSpec): number {
  const [start = 0, end = 0] = spec.layerRange;
  return spec.blocks * blockBytes(regionGroups(spec.layout), start, end);
}

export function planKv(spec: KvSpec, place: PlanPlace): PointPlan {
  const memory = (tier: Tier): number => {
    if (!holdsTier(spec, tier, place.rank)) return 0;
    const sizes = tierSizes(spec, tier);
    return tier === 'disk' ? sizes.totalBytes : sizes.allocationBytes;
  };
  const moves = spec.mode === 'sharded' || spec.to === 'device' || place.rank === spec.root;
  const payloadBytes = moves ? directionBytes(spec) * (spec.bidirectional ? 2 : 1) : 0;
  const groups = regionGroups(spec.layout);
  const usesDisk = spec.from === 'disk' || spec.to === 'disk';
  return {
    memoryBytes: { device: memory('device'), host: memory('host'), disk: memory('disk') },
    ...(usesDisk ? { diskPath: spec.pools.diskPath } : {}),
    payloadBytes,
    details: {
      region_bytes: groups[0]?.regionBytes[0] ?? 0,
      block_bytes: blockBytes(groups),
      blocks: spec.blocks,
    },
  };
}
