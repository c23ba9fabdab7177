/** Stage `measure` of replicated points: the probe, the samples, and a row for each phase. */
import type { Measured, Measurement } from '../../../runner/job/measurement.js';
import { measuredPhase } from '../../../runner/job/measured-phase.js';
import type { PointContext } from '../../../runner/job/context.js';
import { takeSamples } from '../../../runner/job/take-samples.js';
import { sum } from '../../../runner/values/sum.js';
import type { NativeCommunicator, NativeReplicated, Phase } from '../../../runner/native/types/index.js';
import type { KvColumn } from '../columns.js';
import { geometryOf } from '../details.js';
import type { KvSpec } from '../spec.generated.js';

/** nccl-tests: every rank receives the payload once. */
const BROADCAST_BUSBW_FACTOR = 1;

export async function measureReplicated(
  context: PointContext,
  spec: KvSpec,
  transfer: NativeReplicated,
  communicator: NativeCommunicator | null,
  setupUs: number,
): Promise<Measurement<KvColumn>[]> {
  const probe = spec.probe ? await transfer.probe() : null;
  const overlaps: Overlap[] = [];
  const sampled = await takeSamples(context, async (options) => {
    const batch = await transfer.measure(options);
    const { overlapPct } = await transfer.facts();
    if (overlapPct !== null) overlaps.push({ overlapPct, iterations: options.iterations });
    return batch;
  });
  const { phases, stopped } = sampled;
  const facts = await transfer.facts();
  // A copy engine may well be quicker than the kernels of a collective.
  const note = facts.handedOnBy === '' ? {} : { note: `NCCL's own; blocks went by ${facts.handedOnBy}` };
  const peak =
    probe !== null && probe.GBps > 0 ? { peak: { GBps: probe.GBps, source: probe.source, ...note } } : {};
  const bound = { ...peak, busbwFactor: BROADCAST_BUSBW_FACTOR };
  const common = {
    strategyRequested: spec.strategy,
    strategyUsed: facts.strategyUsed,
    setupUs,
    extra: {
      geometry: geometryOf(spec.layout),
      ...(communicator === null
        ? {}
        : { collective_library: `NCCL ${communicator.version} ${communicator.path}` }),
      ...(facts.handedOnBy === '' ? {} : { handed_on_by: facts.handedOnBy }),
    },
    ...(facts.networkTransport === '' ? {} : { networkTransport: facts.networkTransport }),
  };
  const whole = {
    ...(overlaps.length === 0 ? {} : { overlapPct: meanOverlapPct(overlaps) }),
    ...(facts.diskIo === '' ? {} : { diskIo: facts.diskIo }),
  };
  const isBare = spec.from === 'device';
  // The limit is that of handing on; of the whole it is one only where nothing is loaded before.
  const limited: readonly string[] = isBare ? ['broadcast', 'total'] : ['broadcast'];
  // A rank that has only its own blocks has nothing to move.
  const isIdle = isBare && context.world.info.worldSize === 1;
  return phases.map((phase): Measurement<KvColumn> => {
    const row: Measured<KvColumn> = {
      ...measuredPhase(phase, sampled),
      ...common,
      ...(phase.phase === 'total' ? whole : {}),
      ...(limited.includes(phase.phase) ? bound : {}),
    };
    return stopped || (row.samplesUs.length > 0 && !(isIdle && phase.phase === 'total'))
      ? row
      : idleRow(phase, common);
  });
}

/** Mean over the iterations of a batch. */
interface Overlap {
  readonly overlapPct: number;
  readonly iterations: number;
}

function meanOverlapPct(overlaps: readonly Overlap[]): number {
  const iterations = sum(overlaps.map((batch) => batch.iterations));
  return sum(overlaps.map((batch) => batch.overlapPct * batch.iterations)) / iterations;
}

type Said = Required<Pick<Measured<KvColumn>, 'strategyRequested' | 'strategyUsed' | 'extra'>>;

/** A phase that this rank has no part in by design. */
function idleRow({ phase, timing, direction }: Phase, said: Said): Measurement<KvColumn> {
  const { strategyRequested, strategyUsed, extra } = said;
  return { state: 'idle', phase, timing, direction, strategyRequested, strategyUsed, extra };
}
