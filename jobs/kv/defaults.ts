/** What a job may leave open because it follows from its other keys: tiers, blocks and pools. */
import { POOL_KEYS } from './tiers.js';
import type { Tier } from '../../runner/native/types/index.js';
import type { KvSpec } from './spec.generated.js';

type Keys = Readonly<Record<string, unknown>>;

/** Dotted keys that `plan` says where a spec leaves them open. */
export const ASSUMED_KEYS = [
  'from',
  'to',
  'layout.kind',
  'layout.pageSize',
  'blocks',
  ...Object.values(POOL_KEYS).map((key) => `pools.${key}`),
  'strategy',
] as const;

/** offload leaves the device for the host, and the host for the disk; onboard and broadcast come from the host. */
function tiersOf(kind: unknown, given: Keys): Pick<KvSpec, 'from' | 'to'> {
  const written = { from: given['from'] as Tier | undefined, to: given['to'] as Tier | undefined };
  if (kind !== 'offload') return { from: written.from ?? 'host', to: written.to ?? 'device' };
  const from = written.from ?? 'device';
  return { from, to: written.to ?? (from === 'host' ? 'disk' : 'host') };
}

/**
 * Without `blocks`, as many move as the smallest pool that is given holds; a pool that is not given holds what moves. Twice
 * that where both directions move at once. With order trace the pools decide what moves: nothing follows by itself.
 */
export function withDerivedKeys(spec: Keys, given: Keys): Keys {
  const tiers = tiersOf(spec['kind'], given);
  const pools = spec['pools'] as Partial<KvSpec['pools']>;
  const directions = spec['bidirectional'] === true ? 2 : 1;
  if (spec['order'] === 'trace') return { ...spec, ...tiers };
  const keys = [...new Set([POOL_KEYS[tiers.from], POOL_KEYS[tiers.to]])];
  const capacities = keys.flatMap((key) => pools[key] ?? []);
  const most = capacities.length === 0 ? undefined : Math.floor(Math.min(...capacities) / directions);
  const blocks = (spec['blocks'] as number | undefined) ?? most;
  if (blocks === undefined || blocks < 1) return { ...spec, ...tiers };
  const filled = Object.fromEntries(keys.map((key) => [key, pools[key] ?? blocks * directions]));
  return { ...spec, ...tiers, blocks, pools: { ...pools, ...filled } };
}
