/** The limit of each direction between the tiers of a rank: one contiguous copy, or the bare loop of a disk. */
import type { PointContext } from '../../runner/job/context.js';
import type { Peak } from '../../runner/job/measurement.js';
import type { NativePool, Tier } from '../../runner/native/types/index.js';
import { batchingOf } from '../kv/transfer-options.js';
import { slotBytes } from './plan.js';
import type { ReplaySpec } from './spec.generated.js';
import {
  asKvSpec,
  blocksPerSlot,
  copyCtas,
  directionsOf,
  tierSlots,
  TIERS,
  type CopyDirection,
} from './tiers.js';

/** Long enough for a link to reach its pace. */
const PROBE_BYTES = 256 * 2 ** 20;
/** Why copies on the host device may be quicker than their probe. */
const HOST_NOTE = 'copies go with several threads and past the caches, the probe by the memcpy of one thread';
const CLOSE_TIMEOUT_MS = 10_000;

/** Collective in sharded mode, where all ranks copy at once; the root's own in replicated mode. */
export async function probeLinks(
  context: PointContext,
  spec: ReplaySpec,
  pools: ReadonlyMap<Tier, NativePool>,
): Promise<ReadonlyMap<string, Peak>> {
  const peaks: [string, Peak][] = [];
  for (const direction of directionsOf(spec)) {
    const [source, target] = [pools.get(direction.from), pools.get(direction.to)];
    // A shared load goes to all ranks: no copy of one rank is its limit.
    if (source === undefined || target === undefined) continue;
    if (spec.mode === 'replicated' && direction.to === 'device') continue;
    peaks.push([direction.name, await probeLink(context, spec, direction, source, target)]);
  }
  // 0: a stop came before it was known.
  return new Map(peaks.filter(([, { GBps }]) => GBps > 0));
}

async function probeLink(
  context: PointContext,
  spec: ReplaySpec,
  { from, to }: CopyDirection,
  source: NativePool,
  target: NativePool,
): Promise<Peak> {
  const slots = tierSlots(spec);
  const most = Math.min(...[from, to].map((tier) => slots[TIERS.indexOf(tier)] ?? 0));
  const wanted = Math.max(1, Math.floor(PROBE_BYTES / slotBytes(spec)));
  const ids = Int32Array.from({ length: Math.min(most, wanted) * blocksPerSlot(spec) }, (_, block) => block);
  const kv = asKvSpec(spec);
  const lane = {
    source,
    target,
    sourceIds: ids,
    targetIds: ids,
    layerBegin: 0,
    layerEnd: kv.layout.numLayers,
  };
  const world = spec.mode === 'sharded' ? context.world.native : null;
  const transfer = await context.device.native.openTransfer(world, {
    lanes: [lane],
    strategy: 'auto',
    ...batchingOf(kv, context),
    maxCtas: copyCtas(spec),
    faults: [],
  });
  try {
    const { GBps, source: name } = await transfer.probe();
    const isHost = context.device.properties.kind === 'host';
    // v8 ignore next -- GPUs
    return { GBps, source: name, ...(isHost ? { note: HOST_NOTE } : {}) };
  } finally {
    await transfer.close(false, CLOSE_TIMEOUT_MS);
  }
}
