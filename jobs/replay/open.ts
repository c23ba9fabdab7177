/** Stage `prepare` of a replay: the trace read once on rank 0, pools, and what native code needs of both. */
import { RunnerError } from '../../runner/errors.js';
import type { OpenPoint, PointContext } from '../../runner/job/context.js';
import type { Peak, Verification } from '../../runner/job/measurement.js';
import { faultsAt } from '../../runner/job/measured-phase.js';
import { oneOf, present, valueOf } from '../../runner/values/items.js';
import type { NativePool, NativeReplay, SharedLoadOptions, Tier } from '../../runner/native/types/index.js';
import { acquirePools, nativeLayout } from '../kv/pools.js';
import { ctasOf, leaseCommunicator, type CommunicatorLease } from '../kv/replicated/communicator.js';
import type { KvSpec } from '../kv/spec.generated.js';
import { REPLICATED_STRATEGIES, SHARDED_STRATEGIES } from '../kv/schema.js';
import { batchingOf } from '../kv/transfer-options.js';
import type { ReplayColumn } from './columns.js';
import { countRequests, type TraceTotals } from './decisions.js';
import { HeldSlots } from './held-slots.js';
import { measureReplay } from './measure.js';
import { LEADER, type Opened } from './opened.js';
import { probeLinks } from './probe-links.js';
import { Served } from './served.js';
import type { ReplaySpec } from './spec.generated.js';
import { asKvSpec, blocksPerSlot, copyCtas, holdsTier, TIERS, tierSlots } from './tiers.js';

const CLOSE_TIMEOUT_MS = 10_000;
/** The request at which injected faults strike. */
const FAULT_REQUEST = 20;

export async function openReplay(spec: ReplaySpec, context: PointContext): Promise<OpenPoint<ReplayColumn>> {
  const tracePath = present(context.point.files[spec.trace.sha256], 'the place of the trace');
  const totals = await readTotals(spec, context, tracePath);
  const kv = asKvSpec(spec);
  const { rank } = context.world.info;
  const tiers = TIERS.filter((tier) => holdsTier(spec, tier, rank));
  const pools = await acquirePools(context, kv, tiers, spec.mode === 'replicated');
  const start = process.hrtime.bigint();
  const peaks = spec.probe ? await probeLinks(context, spec, pools) : new Map<string, Peak>();
  const needsNccl = spec.mode === 'replicated' && context.device.properties.kind === 'cuda';
  // v8 ignore next -- GPUs
  const communicator = needsNccl ? await leaseCommunicator(context, ctasOf(kv)) : null;
  const replay = await openNative(spec, context, kv, pools, communicator);
  const setupUs = Number(process.hrtime.bigint() - start) / 1e3;
  const [held, served] = [new HeldSlots(), new Served()];
  const opened = { context, spec, tracePath, totals, pools, replay, peaks, held, served, setupUs };
  let [measured, whole] = [false, false];
  return {
    measure: async () => {
      measured = true;
      return await measureReplay(opened);
    },
    verify: async () => {
      whole = true;
      return await verifyReplay(opened);
    },
    close: async () => {
      const failed = measured && !whole;
      await replay.close(!failed, CLOSE_TIMEOUT_MS);
      // A collective that did not end well everywhere is not to be used again.
      // v8 ignore next -- GPUs
      if (failed) await communicator?.abandon();
    },
  };
}

/** A wrong line is told before anything moves; every rank knows how many requests there are. */
async function readTotals(spec: ReplaySpec, context: PointContext, path: string): Promise<TraceTotals> {
  const { rank } = context.world.info;
  const own = await context.onAllRanks('reading the trace', async () => {
    if (rank !== LEADER) return undefined;
    const totals = await countRequests(spec, path);
    if (totals.requests > spec.warmupRequests) return totals;
    const expected = `more than the ${spec.warmupRequests} requests of warmupRequests`;
    throw new RunnerError(
      'E_TRACE',
      `${path}: expected ${expected}, received ${totals.requests} of them; take more requests, or warm up with fewer`,
    );
  });
  if (own !== undefined && own.badLines > 0) {
    context.log.warn({ trace: path, badLines: own.badLines }, 'lines of the trace were passed over');
  }
  return await context.world.broadcastJson(own, LEADER, context.meetingMs());
}

async function openNative(
  spec: ReplaySpec,
  context: PointContext,
  kv: KvSpec,
  pools: ReadonlyMap<Tier, NativePool>,
  communicator: CommunicatorLease | null,
): Promise<NativeReplay> {
  const { rank } = context.world.info;
  const isReplicated = spec.mode === 'replicated';
  return await context.device.native.openReplay(context.world.native, {
    pools: {
      device: valueOf(pools, 'device'),
      host: pools.get('host') ?? null,
      disk: pools.get('disk') ?? null,
    },
    blocksPerSlot: blocksPerSlot(spec),
    slots: tierSlots(spec),
    seed: spec.seed,
    owner: isReplicated ? 0 : rank,
    pacing: spec.pacing,
    check: spec.verify,
    copies: {
      strategy: isReplicated ? 'auto' : oneOf(SHARDED_STRATEGIES, spec.strategy),
      ...batchingOf(kv, context),
      maxCtas: copyCtas(spec),
    },
    shared: isReplicated ? sharedOf(spec, kv, communicator) : null,
    faults: faultsAt(context, { failLoad: FAULT_REQUEST, dieInGroup: FAULT_REQUEST }),
  });
}

function sharedOf(spec: ReplaySpec, kv: KvSpec, communicator: CommunicatorLease | null): SharedLoadOptions {
  const [device, host, disk] = [
    nativeLayout(kv, 'device'),
    nativeLayout(kv, 'host'),
    nativeLayout(kv, 'disk'),
  ];
  return {
    strategy: oneOf(REPLICATED_STRATEGIES, spec.strategy),
    root: spec.root,
    device,
    host,
    disk,
    communicator: communicator?.native ?? null,
  };
}

/** Every hit was compared when it happened; at the end every slot of every tier is, with all that lies between them. */
async function verifyReplay({ spec, replay, held, served }: Opened): Promise<Verification[]> {
  if (spec.verify === 'off') return [];
  const found: Verification[] = [served.check];
  for (const tier of TIERS) {
    const checked = await replay.check(held.contentOf(tier));
    found.push({ ...checked, firstBad: checked.firstBad === '' ? '' : `at the end: ${checked.firstBad}` });
  }
  return [
    {
      checked: found.reduce((sum, { checked }) => sum + checked, 0),
      wrong: found.reduce((sum, { wrong }) => sum + wrong, 0),
      firstBad: found.find(({ firstBad }) => firstBad !== '')?.firstBad ?? '',
    },
  ];
}
