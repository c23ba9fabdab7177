/** The pools of a point: made once for each tier, geometry and size, kept for the points that follow. */
import { availableParallelism } from 'node:os';
import type { PointContext } from '../../runner/job/context.js';
import type { NativeLayout, NativePool, PoolOptions, Tier } from '../../runner/native/types/index.js';
import type { KvSpec } from './spec.generated.js';
import { layoutOf } from './spec.js';
import { sectionsOf } from './sections.js';

const KEY_PREFIX = 'kv-pool:';
/** Copies saturate memory with a few threads; more only take cores from other ranks. */
const MOST_THREADS = 16;

/** CPU threads that a rank may copy, fill and check with: its share of the host's cores, or what the user says. */
export function threadsOfRank({ threadsPerRank, world }: PointContext): number {
  if (threadsPerRank !== undefined) return threadsPerRank;
  return Math.max(1, Math.min(MOST_THREADS, Math.floor(availableParallelism() / world.info.hostSize)));
}

/** Layout of a tier's pool, and the blocks of its sections. */
export function nativeLayout(
  spec: KvSpec,
  tier: Tier,
): { readonly layout: NativeLayout; readonly sectionBlocks: readonly number[] } {
  const { kind, blockDim, alignment } = layoutOf(spec, tier);
  const sections = sectionsOf(spec, tier);
  const groups = sections.flatMap((each, section) =>
    each.groups.map(({ name, layers, regionBytes }) => ({ name, layers, regionBytes, section })),
  );
  const sectionBlocks = sections.map(({ numBlocks }) => numBlocks);
  return { layout: { kind, blockDim, alignment, groups }, sectionBlocks };
}

function poolOptions(spec: KvSpec, tier: Tier, threads: number, sharedWithPeers: boolean): PoolOptions {
  return {
    tier,
    ...nativeLayout(spec, tier),
    diskPath: tier === 'disk' ? spec.pools.diskPath : '',
    threads,
    sharedWithPeers,
  };
}

/** The pools of these tiers, by tier. Pools of earlier points that this one does not use are freed first. */
export async function acquirePools(
  context: PointContext,
  spec: KvSpec,
  tiers: readonly Tier[],
  sharedWithPeers: boolean,
): Promise<ReadonlyMap<Tier, NativePool>> {
  const threads = threadsOfRank(context);
  const wanted = tiers.map((tier) => {
    const options = poolOptions(spec, tier, threads, sharedWithPeers);
    return { tier, options, key: `${KEY_PREFIX}${JSON.stringify(options)}` };
  });
  const keys = new Set(wanted.map(({ key }) => key));
  await context.resources.retain((key) => !key.startsWith(KEY_PREFIX) || keys.has(key));
  const pools = new Map<Tier, NativePool>();
  for (const { tier, options, key } of wanted) {
    pools.set(tier, await context.resources.acquire(key, () => context.device.native.createPool(options)));
  }
  return pools;
}
