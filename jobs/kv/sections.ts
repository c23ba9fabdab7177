/** The parts of a pool that have block ids of their own. */
import type { Tier } from '../../runner/native/types/index.js';
import type { KvSpec } from './kv-spec.js';
import { poolSizes, regionGroups, storedLayout, type PoolSection, type PoolSizes } from './layout.js';
import { layoutOf, poolBlocks } from './rules.js';

export function sectionsOf(spec: KvSpec, tier: Tier): readonly PoolSection[] {
  return [{ groups: regionGroups(layoutOf(spec, tier)), numBlocks: poolBlocks(spec, tier) }];
}

/** Sizes of the pool of that tier, as it is stored there. */
export function tierSizes(spec: KvSpec, tier: Tier): PoolSizes {
  return poolSizes(storedLayout(layoutOf(spec, tier), tier), sectionsOf(spec, tier));
}
