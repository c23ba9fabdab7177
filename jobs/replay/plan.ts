/** Memory of one rank, from the spec. */
import type { PlanPlace, PointPlan } from '../../runner/job-spec/spec-kind.js';
import type { Tier } from '../../runner/native/types/index.js';
import { geometryOf } from '../kv/details.js';
import { blockBytes, regionGroups } from '../kv/layout.js';
import { tierSizes } from '../kv/sections.js';
import type { KvLayout } from '../kv/spec.generated.js';
import type { ReplaySpec } from './spec.generated.js';
import { asKvSpec, blocksPerSlot, holdsTier, tierSlots } from './tiers.js';

/** Bytes of a prefix block on one rank, without padding. */
export function slotBytes(spec: ReplaySpec): number {
  return blocksPerSlot(spec) * blockBytes(regionGroups(spec.layout as KvLayout));
}

export function planReplay(spec: ReplaySpec, { rank }: PlanPlace): PointPlan {
  const kv = asKvSpec(spec);
  const memory = (tier: Tier): number => {
    if (!holdsTier(spec, tier, rank)) return 0;
    const sizes = tierSizes(kv, tier);
    return tier === 'disk' ? sizes.totalBytes : sizes.allocationBytes;
  };
  const memoryBytes = { device: memory('device'), host: memory('host'), disk: memory('disk') };
  const [device = 0, host = 0, disk = 0] = tierSlots(spec);
  return {
    memoryBytes,
    ...(memoryBytes.disk > 0 ? { diskPath: spec.pools.diskPath } : {}),
    // What moves depends on the requests: `railrunner simulate --tier-blocks` counts it.
    payloadBytes: 0,
    details: {
      trace_format: spec.trace.format,
      block_tokens: spec.trace.blockTokens,
      block_bytes: slotBytes(spec),
      device_blocks: device,
      host_blocks: host,
      disk_blocks: disk,
      policy: spec.policy,
      pacing: spec.pacing,
      geometry: `"${geometryOf(spec.layout as KvLayout)}"`,
    },
  };
}
