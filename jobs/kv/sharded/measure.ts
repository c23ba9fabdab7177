/** Stage `measure` of offload and onboard: the probe, the samples, and the rows that come of them. */
import type { Measured } from '../../../runner/job/measurement.js';
import { measuredPhase } from '../../../runner/job/measured-phase.js';
import type { PointContext } from '../../../runner/job/context.js';
import { takeSamples, type Sampled } from '../../../runner/job/take-samples.js';
import type { LaneFacts, MeasuredPhases, NativeTransfer, Phase } from '../../../runner/native/types/index.js';
import type { KvColumn } from '../columns.js';
import { geometryOf } from '../details.js';
import type { KvSpec } from '../spec.generated.js';
import { settlePeaks } from './peak.js';

export async function measureTransfer(
  context: PointContext,
  spec: KvSpec,
  transfer: NativeTransfer,
  setupUs: number,
): Promise<Measured<KvColumn>[]> {
  const probe = spec.probe ? await transfer.probe() : null;
  // In replicated mode only the root comes here.
  const sampled = await takeSamples(context, (options) => transfer.measure(options), spec.mode === 'sharded');
  const facts = await transfer.facts();
  const rows = sampled.phases.map((phase) => ({ ...rowOf(spec, phase, sampled, facts), setupUs }));
  // One for each clock: the host's, and on cuda that of events.
  const totals = rows.filter(({ phase }) => phase === 'total');
  const [total] = totals;
  if (probe === null || total === undefined) return rows;
  const peaks = await settlePeaks(context, {
    transfer,
    together: spec.mode === 'sharded',
    first: probe,
    payloadBytes: total.bytes.payload,
    samplesUs: totals.map(({ samplesUs }) => samplesUs),
    repeatable: ![spec.from, spec.to].includes('disk'),
    advantage: advantageOf(context, total.strategyUsed),
  });
  return rows.map((row) => {
    const peak = peaks?.[totals.indexOf(row)];
    return peak === undefined ? row : { ...row, peak };
  });
}

/** On the host device the probe is the plain memcpy of one thread for each direction. */
function advantageOf({ device }: PointContext, strategyUsed: string | undefined): string {
  if (device.properties.kind !== 'host' || strategyUsed?.includes('kernel') !== true) return '';
  return 'kernel copies with several threads and past the caches, the probe by the memcpy of one thread';
}

function rowOf(
  spec: KvSpec,
  phase: Phase,
  sampled: Sampled<MeasuredPhases>,
  facts: readonly LaneFacts[],
): Measured<KvColumn> {
  const own =
    phase.phase === 'total' ? facts : facts.filter(({ direction }) => direction === phase.direction);
  const row = measuredPhase(phase, sampled);
  const { payload, disk } = phase.bytes;
  return {
    ...row,
    bytes: { ...row.bytes, ...(disk > 0 ? { padded: disk - payload } : {}) },
    strategyRequested: spec.strategy,
    // One word, or both where `auto` chose differently for the two directions.
    strategyUsed: [...new Set(own.map(({ strategyUsed }) => strategyUsed))].join('+'),
    extra: {
      batches_merged: own.some(({ batchesMerged }) => batchesMerged) ? 'yes' : 'no',
      copies: own.reduce((total, { numCopies }) => total + numCopies, 0),
      geometry: geometryOf(spec.layout),
    },
    ...(own[0]?.diskIo ? { diskIo: own[0].diskIo } : {}),
  };
}
