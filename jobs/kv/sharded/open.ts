/** Stage `prepare` of offload and onboard: pools, content, a compiled transfer. */
import type { Idle, Verification } from '../../../runner/job/measurement.js';
import { faultsAt } from '../../../runner/job/measured-phase.js';
import type { OpenPoint, PointContext } from '../../../runner/job/context.js';
import type { NativePool, NativeTransfer, Tier } from '../../../runner/native/types/index.js';
import { blockOrder } from '../block-order.js';
import type { KvColumn } from '../columns.js';
import type { KvSpec } from '../spec.generated.js';
import { contentBefore, lanesOf, nativeLane, transferredBlocks, type Lane } from '../lanes.js';
import { measureTransfer } from './measure.js';
import { openReplicated } from '../replicated/open.js';
import { SHARDED_STRATEGIES } from '../schema.js';
import { acquirePools } from '../pools.js';
import { batchingOf, COPY_CTAS } from '../transfer-options.js';
import { valueOf, oneOf } from '../../../runner/values/items.js';

/** Nothing is waited for: a transfer of this rank has no peers to take leave of. */
const CLOSE_TIMEOUT_MS = 10_000;

interface Opened {
  readonly context: PointContext;
  readonly spec: KvSpec;
  readonly lanes: readonly Lane[];
  readonly pools: ReadonlyMap<Tier, NativePool>;
  readonly transfer: NativeTransfer;
  readonly setupUs: number;
}

export async function openTransfer(spec: KvSpec, context: PointContext): Promise<OpenPoint<KvColumn>> {
  const { rank } = context.world.info;
  if (spec.mode === 'replicated') {
    if (spec.to === 'device') return openReplicated(spec, context);
    if (rank !== spec.root) return idlePoint(spec);
  }
  const lanes = lanesOf(spec, blockOrder(spec, rank, context.point.files));
  const pools = await acquirePools(context, spec, [spec.from, spec.to], false);
  for (const [tier, pool] of pools) await pool.prepare(contentBefore(spec, tier, lanes, rank));
  const start = process.hrtime.bigint();
  const transfer = await compile(context, spec, lanes, pools);
  const setupUs = Number(process.hrtime.bigint() - start) / 1e3;
  return openPoint({ context, spec, lanes, pools, transfer, setupUs });
}

function compile(
  context: PointContext,
  spec: KvSpec,
  lanes: readonly Lane[],
  pools: ReadonlyMap<Tier, NativePool>,
): Promise<NativeTransfer> {
  // Where only the root acts, no other rank reaches a gate.
  const world = spec.mode === 'sharded' ? context.world.native : null;
  return context.device.native.openTransfer(world, {
    lanes: lanes.map((lane) => nativeLane(spec, lane, pools)),
    strategy: oneOf(SHARDED_STRATEGIES, spec.strategy),
    ...batchingOf(spec, context),
    maxCtas: COPY_CTAS,
    faults: faultsAt(context, { spinKernel: 0, illegalAccess: 0 }),
  });
}

function openPoint({ context, spec, lanes, pools, transfer, setupUs }: Opened): OpenPoint<KvColumn> {
  const { rank } = context.world.info;
  return {
    measure: () => measureTransfer(context, spec, transfer, setupUs),
    verify: async (): Promise<Verification[]> => {
      if (spec.verify === 'off') return [];
      const found: Verification[] = [];
      for (const lane of lanes) {
        const pool = valueOf(pools, lane.to);
        const before = contentBefore(spec, lane.to, lanes, rank);
        found.push(await pool.check(before, [transferredBlocks(spec, lane)], spec.verify === 'sample'));
      }
      return [sumOf(found)];
    },
    // Pools stay in the cache; the next point that needs their memory drops them.
    close: () => transfer.close(false, CLOSE_TIMEOUT_MS),
  };
}

function sumOf(found: readonly Verification[]): Verification {
  return {
    checked: found.reduce((sum, { checked }) => sum + checked, 0),
    wrong: found.reduce((sum, { wrong }) => sum + wrong, 0),
    firstBad: found.find(({ firstBad }) => firstBad !== '')?.firstBad ?? '',
  };
}

/** Replicated offload: the root's tiers hold what all ranks share, so the others have nothing to do. */
function idlePoint(spec: KvSpec): OpenPoint<KvColumn> {
  const row: Idle<KvColumn> = {
    state: 'idle',
    phase: 'total',
    timing: 'host',
    direction: `${spec.from}->${spec.to}`,
    strategyRequested: spec.strategy,
  };
  return { measure: async () => [row], verify: async () => [], close: async () => {} };
}
