/** Bytes and memory of one rank, from the spec. */
import type { PlanPlace, PointPlan } from '../../runner/job-spec/spec-kind.js';
import type { Tier } from '../../runner/native/types/index.js';
import { blockBytes } from './layout.js';
import { detailsOf } from './details.js';
import type { KvSpec } from './spec.generated.js';
import { sectionsOf, tierSizes } from './sections.js';
import { holdsTier } from './spec.js';

/** Bytes without padding that a rank moves in one iteration, in both directions of a bidirectional job. */
function payloadBytes(spec: KvSpec): number {
  const [start = 0, end = 0] = spec.layerRange;
  const [first, ...windowed] = sectionsOf(spec, spec.from);
  const whole = spec.blocks * (spec.bidirectional ? 2 : 1) * blockBytes(first?.groups ?? [], start, end);
  return windowed.reduce((sum, { groups }) => {
    const moved = spec.trace?.groupBlocks?.[groups[0]?.name ?? ''] ?? 0;
    return sum + moved * blockBytes(groups, start, end);
  }, whole);
}

export function planKv(spec: KvSpec, place: PlanPlace): PointPlan {
  const memory = (tier: Tier): number => {
    if (!holdsTier(spec, tier, place.rank)) return 0;
    const sizes = tierSizes(spec, tier);
    return tier === 'disk' ? sizes.totalBytes : sizes.allocationBytes;
  };
  const moves = spec.mode === 'sharded' || spec.to === 'device' || place.rank === spec.root;
  const usesDisk = spec.from === 'disk' || spec.to === 'disk';
  return {
    memoryBytes: { device: memory('device'), host: memory('host'), disk: memory('disk') },
    ...(usesDisk ? { diskPath: spec.pools.diskPath } : {}),
    payloadBytes: moves ? payloadBytes(spec) : 0,
    details: detailsOf(spec),
  };
}
