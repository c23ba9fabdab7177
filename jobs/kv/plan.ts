/** Bytes and memory of one rank, from the spec. */
import type { PlanPlace, PointPlan } from '../../runner/job-spec/spec-kind.js';
import type { Tier } from '../../runner/native/types/index.js';
import { firstOf } from '../../runner/values/items.js';
import { blockBytes } from './layout.js';
import { detailsOf } from './details.js';
import type { KvSpec } from './spec.generated.js';
import { movedOfWindow, sectionsOf, tierSizes } from './sections.js';
import { holdsTier } from './spec.js';

/** Bytes without padding that a rank moves in one iteration, in both directions of a bidirectional job. */
function payloadBytes(spec: KvSpec): number {
  const [start, end] = spec.layerRange;
  const sections = sectionsOf(spec, spec.from);
  const whole = spec.blocks * (spec.bidirectional ? 2 : 1) * blockBytes(firstOf(sections).groups, start, end);
  const [, ...windowed] = sections;
  return windowed.reduce(
    (sum, section) => sum + movedOfWindow(spec, section).blocks * blockBytes(section.groups, start, end),
    whole,
  );
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
