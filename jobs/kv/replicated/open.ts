/** Stage `prepare` of replicated points: only the root holds the tier that is read, every rank a device pool. */
import type { Verification } from '../../../runner/job/measurement.js';
import { faultsAt } from '../../../runner/job/measured-phase.js';
import { RunnerError } from '../../../runner/errors.js';
import type { OpenPoint, PointContext } from '../../../runner/job/context.js';
import type {
  NativePool,
  NativeReplicated,
  PoolContent,
  ReplicatedOptions,
  Tier,
} from '../../../runner/native/types/index.js';
import { blockOrder } from '../block-order.js';
import { communicatorOf, ctasOf, type CommunicatorLease } from './communicator.js';
import type { KvColumn } from '../columns.js';
import type { KvSpec } from '../spec.generated.js';
import { contentBefore, lanesOf, transferredBlocks, type Lane } from '../lanes.js';
import { measureReplicated } from './measure.js';
import { AUTO_WITH_STOPPING } from '../skips.js';
import { holdsTier } from '../spec.js';
import { REPLICATED_STRATEGIES } from '../schema.js';
import { acquirePools, nativeLayout } from '../pools.js';
import { batchingOf } from '../transfer-options.js';
import { firstOf, valueOf, oneOf } from '../../../runner/values/items.js';

/** Every rank has the same data: one owner, no matter which rank loads it. */
const OWNER = 0;
const CLOSE_TIMEOUT_MS = 10_000;
/** Where injected faults strike: far enough into the samples for peers to be in flight. */
const FAULT_ITERATION = 2;

interface Opened {
  readonly context: PointContext;
  readonly spec: KvSpec;
  readonly lane: Lane;
  readonly pools: ReadonlyMap<Tier, NativePool>;
  readonly transfer: NativeReplicated;
  readonly communicator: CommunicatorLease | null;
  readonly setupUs: number;
}

export async function openReplicated(spec: KvSpec, context: PointContext): Promise<OpenPoint<KvColumn>> {
  if (context.device.properties.kind === 'cuda' && spec.strategy === 'auto' && context.stopping !== undefined)
    throw new RunnerError('E_UNSUPPORTED_HERE', AUTO_WITH_STOPPING);
  const { rank } = context.world.info;
  const lane = firstOf(lanesOf(spec, blockOrder(spec, rank, context.point.files)));
  const tiers = [...new Set([spec.from, spec.to])].filter((tier) => holdsTier(spec, tier, rank));
  const pools = await acquirePools(context, spec, tiers, true);
  for (const [tier, pool] of pools) await pool.prepare(contentOf(context, spec, tier, lane));
  // Before anything that every rank takes part in: one that could not prepare its pools is heard here.
  await context.onAllRanks('preparing the pools', () => undefined);
  const start = process.hrtime.bigint();
  const communicator = await communicatorOf(context, spec);
  let transfer: NativeReplicated;
  try {
    transfer = await context.device.native.openReplicated(
      context.world.native,
      optionsOf(context, spec, lane, pools, communicator),
    );
  } catch (error) {
    await communicator?.abandon();
    throw error;
  }
  const setupUs = Number(process.hrtime.bigint() - start) / 1e3;
  return openPoint({ context, spec, lane, pools, transfer, communicator, setupUs });
}

/** With a device source the root's own blocks are what all ranks end with; other ranks begin with poison. */
function contentOf(context: PointContext, spec: KvSpec, tier: Tier, lane: Lane): PoolContent {
  if (spec.from !== spec.to) return contentBefore(spec, tier, [lane], OWNER);
  const isRoot = context.world.info.rank === spec.root;
  const filled = isRoot ? lane.ids.sourceIds : new Int32Array();
  return { seed: spec.seed, owner: OWNER, poisonSalt: spec.seed, filled };
}

function optionsOf(
  context: PointContext,
  spec: KvSpec,
  lane: Lane,
  pools: ReadonlyMap<Tier, NativePool>,
  communicator: CommunicatorLease | null,
): ReplicatedOptions {
  const [layerBegin, layerEnd] = spec.layerRange;
  const [source, target] = [nativeLayout(spec, spec.from), nativeLayout(spec, 'device')];
  const differs = context.injectedFaults.includes('misorder');
  return {
    strategy: oneOf(REPLICATED_STRATEGIES, spec.strategy),
    root: spec.root,
    sourceTier: spec.from,
    source: spec.from === 'device' ? null : (pools.get(spec.from) ?? null),
    sourceLayout: source.layout,
    sourceBlocks: source.sectionBlocks,
    target: valueOf(pools, 'device'),
    targetLayout: target.layout,
    targetBlocks: target.sectionBlocks,
    sourceIds: lane.ids.sourceIds,
    // v8 ignore next -- killed
    targetIds: differs ? lane.ids.targetIds.slice().reverse() : lane.ids.targetIds,
    layerBegin,
    layerEnd,
    loads: {
      strategy: 'auto',
      ...batchingOf(spec, context),
      maxCtas: ctasOf(spec),
    },
    communicator: communicator?.native ?? null,
    timeoutMs: Math.max(1, context.remainingMs()),
    faults: faultsAt(context, { failLoad: FAULT_ITERATION, dieInGroup: FAULT_ITERATION }),
  };
}

function openPoint(opened: Opened): OpenPoint<KvColumn> {
  const { context, spec, lane, pools, transfer, communicator } = opened;
  let measured = false;
  let whole = false;
  return {
    measure: async () => {
      measured = true;
      return await measureReplicated(context, spec, transfer, communicator?.native ?? null, opened.setupUs);
    },
    // All ranks come here or none: after this, collectives are known to have ended well everywhere.
    verify: async (): Promise<Verification[]> => {
      whole = true;
      if (spec.verify === 'off') return [];
      const pool = valueOf(pools, 'device');
      const before = contentOf(context, spec, 'device', lane);
      // The root of a broadcast from its device wrote nothing: its pool is as it was.
      const wroteNothing = spec.from === spec.to && context.world.info.rank === spec.root;
      const written = wroteNothing ? [] : [transferredBlocks(spec, lane)];
      return [await pool.check(before, written, spec.verify === 'sample')];
    },
    close: async (): Promise<void> => {
      const failed = measured && !whole;
      await transfer.close(!failed, CLOSE_TIMEOUT_MS);
      if (failed) await communicator?.abandon();
    },
  };
}
