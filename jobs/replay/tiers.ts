/** The tiers of a replay as the kinds of jobs/kv see them: pools of blocks, of which one or several make a slot. */
import type { Tier } from '../../runner/native/types/index.js';
import { specAs } from '../../runner/job/kind.js';
import type { KvSpec } from '../kv/spec.generated.js';
import { POOL_KEYS } from '../kv/tiers.js';
import { COPY_CTAS } from '../kv/transfer-options.js';
import type { ReplaySpec } from './spec.generated.js';

export const TIERS: readonly Tier[] = ['device', 'host', 'disk'];

/** Prefix blocks of device, host and disk; 0: no such tier. */
export function tierSlots({ pools }: ReplaySpec): number[] {
  return TIERS.map((tier) => pools[POOL_KEYS[tier]] ?? 0);
}

/** Blocks of the pools that hold one block of the trace. */
export function blocksPerSlot({ trace, layout }: Pick<ReplaySpec, 'trace' | 'layout'>): number {
  return trace.blockTokens / layout.pageSize;
}

/** Pools, layouts and options as offload and onboard have them. */
export function asKvSpec(spec: ReplaySpec): KvSpec {
  const perSlot = blocksPerSlot(spec);
  const pools: Record<string, unknown> = { diskPath: spec.pools.diskPath };
  for (const tier of TIERS) {
    const slots = spec.pools[POOL_KEYS[tier]];
    if (slots !== undefined) pools[POOL_KEYS[tier]] = slots * perSlot;
  }
  const { trace: _trace, policy: _policy, ...shared } = spec;
  return specAs<KvSpec>({ ...shared, from: 'device', to: 'host', order: 'sequential', blocks: 1, pools });
}

/** Thread blocks of copy kernels, some of which hand blocks on to other ranks in replicated mode. */
export function copyCtas({ mode, maxCtas }: Pick<ReplaySpec, 'mode' | 'maxCtas'>): number {
  return mode === 'replicated' && maxCtas !== 'uncapped' ? maxCtas : COPY_CTAS;
}

/** Whether this rank holds the tier: in replicated mode only the root has host and disk. */
export function holdsTier(spec: ReplaySpec, tier: Tier, rank: number): boolean {
  const has = (spec.pools[POOL_KEYS[tier]] ?? 0) > 0;
  return has && (tier === 'device' || spec.mode === 'sharded' || rank === spec.root);
}

export interface CopyDirection {
  readonly from: Tier;
  readonly to: Tier;
  /** "device->host". */
  readonly name: string;
}

/** The directions in which blocks go between the tiers that there are. */
export function directionsOf(spec: ReplaySpec): CopyDirection[] {
  const [, host = 0, disk = 0] = tierSlots(spec);
  const pairs: [Tier, Tier, boolean][] = [
    ['host', 'device', host > 0],
    ['disk', 'device', disk > 0],
    ['device', 'host', host > 0],
    ['device', 'disk', host === 0 && disk > 0],
    ['host', 'disk', host > 0 && disk > 0],
  ];
  return pairs.flatMap(([from, to, isThere]) => (isThere ? [{ from, to, name: `${from}->${to}` }] : []));
}
