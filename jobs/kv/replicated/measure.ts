/** Stage `measure` of replicated points: the probe, the samples, and a row for each phase. */
import type { Measured, Measurement, PathBytes } from '../../../runner/job/measurement.js';
import type { PointContext } from '../../../runner/job/context.js';
import type {
  NativeCommunicator,
  NativeReplicated,
  ReplicatedFacts,
} from '../../../runner/native/types/index.js';
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
  const { total, loadUs, broadcastUs, overlapPct } = await transfer.measure(context.samples);
  const facts = await transfer.facts();
  const common = {
    state: 'measured',
    timing: 'host',
    direction: `${spec.from}->${spec.to}`,
    stopped: total.stopped,
    strategyRequested: spec.strategy,
    strategyUsed: facts.strategyUsed,
    setupUs,
    extra: { geometry: geometryOf(spec.layout) },
    ...(facts.networkTransport === '' ? {} : { networkTransport: facts.networkTransport }),
    ...(communicator === null
      ? {}
      : { extra: { collective_library: `NCCL ${communicator.version} ${communicator.path}` } }),
  } as const;
  const peak = probe !== null && probe.GBps > 0 ? { peak: { GBps: probe.GBps, source: probe.source } } : {};
  // The limit is that of handing on; of the whole it is one only where nothing is loaded before.
  const isBare = spec.from === 'device';
  // Alone with its own blocks a rank has nothing to take anywhere.
  const isIdle = isBare && context.world.info.worldSize === 1;
  const whole: Measured<KvColumn> = {
    ...common,
    phase: 'total',
    samplesUs: isIdle ? new Float64Array() : total.timesUs,
    entrySkewUs: total.entrySkewUs,
    bytes: bytesOf(facts),
    ...(overlapPct === null ? {} : { overlapPct }),
    ...(facts.diskIo === '' ? {} : { diskIo: facts.diskIo }),
    ...(isBare ? { ...peak, busbwFactor: BROADCAST_BUSBW_FACTOR } : {}),
  };
  const load = phaseRow({ ...common, phase: 'load', samplesUs: loadUs, bytes: { payload: facts.loadBytes } });
  const broadcast = phaseRow({
    ...common,
    ...peak,
    phase: 'broadcast',
    samplesUs: broadcastUs,
    bytes: { payload: facts.payloadBytes },
    busbwFactor: BROADCAST_BUSBW_FACTOR,
  });
  return isBare ? [broadcast, phaseRow(whole)] : [load, broadcast, whole];
}

/** A phase that this rank has no part in by design is idle. */
function phaseRow(row: Measured<KvColumn>): Measurement<KvColumn> {
  if (row.samplesUs.length > 0 || row.stopped === true) return row;
  const { phase, timing, direction, strategyRequested, strategyUsed, extra } = row;
  return {
    state: 'idle',
    phase,
    timing,
    direction,
    ...(strategyRequested === undefined ? {} : { strategyRequested }),
    ...(strategyUsed === undefined ? {} : { strategyUsed }),
    ...(extra === undefined ? {} : { extra }),
  };
}

/** Bytes of one iteration; a path that nothing takes stays empty. */
function bytesOf(facts: ReplicatedFacts): PathBytes {
  const paths = {
    self: facts.selfBytes,
    ipc: facts.ipcBytes,
    network: facts.networkBytes,
    pcie: facts.pcieBytes,
    disk: facts.diskBytes,
  };
  const taken = Object.entries(paths).filter(([, bytes]) => bytes > 0);
  return { payload: facts.payloadBytes, ...Object.fromEntries(taken) };
}
