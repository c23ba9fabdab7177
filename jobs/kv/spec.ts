/** What a resolved KV job says of a tier. */
import { RunnerError } from '../../runner/errors.js';
import type { Tier } from '../../runner/native/types/index.js';
import type { KvLayout, KvSpec } from './spec.generated.js';
import { LAYOUT_KEYS_BY_TIER, POOL_KEYS } from './tiers.js';

export function layoutOf(spec: KvSpec, tier: Tier): KvLayout {
  return spec[LAYOUT_KEYS_BY_TIER[tier]];
}

/** The trace of a job with order trace, which `resolve` reads and counts. */
export function traceOf({ trace }: KvSpec): NonNullable<KvSpec['trace']> {
  if (trace === undefined)
    throw new RunnerError('E_STATE', 'order trace without a trace: the spec is not resolved');
  return trace;
}

/** Blocks in the pool of that tier; 0 where the spec gives none. */
export function poolBlocks(spec: KvSpec, tier: Tier): number {
  return spec.pools[POOL_KEYS[tier]] ?? 0;
}

/** Whether this rank holds a pool of that tier: in replicated mode only the root has host and disk. */
export function holdsTier(spec: KvSpec, tier: Tier, rank: number): boolean {
  if (spec.from !== tier && spec.to !== tier) return false;
  if (spec.mode === 'sharded' || rank === spec.root) return true;
  // independent is what one has without replicated mode: every rank its own tiers.
  return (tier === 'device' && spec.to === 'device') || spec.strategy === 'independent';
}
