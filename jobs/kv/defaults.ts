/** What a job may leave open because it follows from its other keys: tiers, blocks and pools. */
import { POOL_KEYS, TIERS } from './tiers.js';
import type { Tier } from '../../runner/native/types/index.js';
import type { KvSpec } from './spec.generated.js';
import { isOneOf } from '../../runner/values/items.js';
import { specAs } from '../../runner/job/kind.js';

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
  const tierOr = (key: string, otherwise: Tier): Tier => {
    const tier = given[key];
    return isOneOf(TIERS, tier) ? tier : otherwise;
  };
  if (kind !== 'offload') return { from: tierOr('from', 'host'), to: tierOr('to', 'device') };
  const from = tierOr('from', 'device');
  return { from, to: tierOr('to', from === 'host' ? 'disk' : 'host') };
}

/**
 * Without `blocks`, as many move as the smallest pool that is given holds; a pool that is not given holds what moves. Twice
 * that where both directions move at once. With order trace the pools decide what moves: nothing follows by itself.
 */
export function withDerivedKeys(spec: Keys, given: Keys): Keys {
  const tiers = tiersOf(spec['kind'], given);
  const { pools } = specAs<Pick<KvSpec, 'pools'>>(spec);
  const directions = spec['bidirectional'] === true ? 2 : 1;
  if (spec['order'] === 'trace') return { ...spec, ...tiers };
  const keys = [...new Set([POOL_KEYS[tiers.from], POOL_KEYS[tiers.to]])];
  const capacities = keys.map((key) => pools[key]).filter((capacity) => capacity !== undefined);
  const most = capacities.length === 0 ? undefined : Math.floor(Math.min(...capacities) / directions);
  const blocks = typeof spec['blocks'] === 'number' ? spec['blocks'] : most;
  if (blocks === undefined || blocks < 1) return { ...spec, ...tiers };
  const filled = Object.fromEntries(keys.map((key) => [key, pools[key] ?? blocks * directions]));
  return { ...spec, ...tiers, blocks, pools: { ...pools, ...filled } };
}
