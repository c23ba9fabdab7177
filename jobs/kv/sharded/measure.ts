/** Stage `measure` of offload and onboard: the probe, the samples, and the rows that come of them. */
import type { Measured, PathBytes } from '../../../runner/job/measurement.js';
import type { PointContext } from '../../../runner/job/context.js';
import type { LaneFacts, NativeTransfer, TimedSampleSet } from '../../../runner/native/types/index.js';
import type { KvColumn } from '../columns.js';
import { geometryOf } from '../details.js';
import type { KvSpec } from '../spec.generated.js';
import type { Lane } from '../lanes.js';

export async function measureTransfer(
  context: PointContext,
  spec: KvSpec,
  lanes: readonly Lane[],
  transfer: NativeTransfer,
  setupUs: number,
  together: boolean,
): Promise<Measured<KvColumn>[]> {
  const world = together ? context.world.native : null;
  const probe = spec.probe ? await transfer.probe(world) : null;
  const sets = await transfer.measure(world, context.samples);
  const facts = await transfer.facts();
  const peak = probe !== null && probe.GBps > 0 ? { GBps: probe.GBps, source: probe.source } : null;
  return sets.map((set) => ({
    ...rowOf(spec, set, lanes, facts),
    strategyRequested: spec.strategy,
    setupUs,
    ...(peak !== null && set.lane < 0 ? { peak } : {}),
  }));
}

/** `total` is all that moved; with two directions at once each has a row of its own, named for what it does. */
function rowOf(
  spec: KvSpec,
  set: TimedSampleSet,
  lanes: readonly Lane[],
  facts: readonly LaneFacts[],
): Measured<KvColumn> {
  const [first] = lanes;
  const lane = lanes[set.lane];
  const own = lane === undefined ? facts : facts.slice(set.lane, set.lane + 1);
  const both = `${first?.from}<->${first?.to}`;
  const phase = lane === undefined ? 'total' : lane.to === 'device' ? 'onboard' : 'offload';
  const shown = lane ?? first;
  return {
    state: 'measured',
    phase,
    timing: set.timing,
    direction: lane === undefined && lanes.length > 1 ? both : `${shown?.from}->${shown?.to}`,
    samplesUs: set.timesUs,
    entrySkewUs: set.entrySkewUs,
    stopped: set.stopped,
    bytes: bytesOf(own),
    ...(own[0] ? { strategyUsed: strategiesOf(own) } : {}),
    extra: {
      batches_merged: own.some(({ batchesMerged }) => batchesMerged) ? 'yes' : 'no',
      copies: own.reduce((total, { numCopies }) => total + numCopies, 0),
      geometry: geometryOf(spec.layout),
    },
    ...(own[0]?.diskIo ? { diskIo: own[0].diskIo } : {}),
  };
}

/** Bytes of one iteration; a path that nothing takes stays empty. */
function bytesOf(facts: readonly LaneFacts[]): PathBytes {
  const sum = (key: 'payloadBytes' | 'diskBytes' | 'pcieBytes' | 'selfBytes'): number =>
    facts.reduce((total, lane) => total + lane[key], 0);
  const [payload, disk] = [sum('payloadBytes'), sum('diskBytes')];
  const [pcie, self] = [sum('pcieBytes'), sum('selfBytes')];
  return {
    payload,
    ...(disk > 0 ? { padded: disk - payload, disk } : {}),
    ...(pcie > 0 ? { pcie } : {}),
    ...(self > 0 ? { self } : {}),
  };
}

/** One word, or both where `auto` chose differently for the two directions. */
function strategiesOf(facts: readonly LaneFacts[]): string {
  return [...new Set(facts.map(({ strategyUsed }) => strategyUsed))].join('+');
}
