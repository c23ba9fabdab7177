/** Stage `measure` of one operation: the probe, the samples, and the rows that come of them. */
import { RunnerError } from '../../runner/errors.js';
import type { Idle, Measured, MeasuredBytes, Measurement } from '../../runner/job/measurement.js';
import type {
  NativeRankTransfer,
  Phase,
  ProbeResult,
  RankTransferFacts,
  RankTransferSamples,
} from '../../runner/native/types/index.js';
import { howItEnded, measuredPhase } from '../../runner/job/measured-phase.js';
import { takeSamples, type Sampled } from '../../runner/job/take-samples.js';
import type { TransferColumn } from './columns.js';
import { movesOf, type Operation, type PlannedMove } from './moves.js';
import type { Point } from './point.js';
import { pagesPerFlowBlock } from './sides.js';
import { counted } from '../../runner/text/plural.js';
import { present } from '../../runner/values/items.js';
import { readNvlinkCounter, readWireCounter, type WireCount } from './wire-counter.js';

export interface MeasuredOperation {
  readonly rows: Measurement<TransferColumn>[];
  readonly early: string;
  readonly stopped: boolean;
}

interface Outcome {
  readonly point: Point;
  readonly op: Operation;
  readonly probe: ProbeResult | null;
  readonly samples: Sampled<RankTransferSamples>;
  readonly moves: readonly PlannedMove[];
  readonly wire: WireCount;
  readonly facts: RankTransferFacts;
}

/** `prepare` refills the pools: a probe leaves its own bytes in the targets. */
export async function measureOperation(
  point: Point,
  op: Operation,
  native: NativeRankTransfer,
  prepare: () => Promise<void>,
): Promise<MeasuredOperation> {
  const { spec, context, plan } = point;
  const probe = spec.probe ? await native.probe() : null;
  if (probe !== null) await prepare();
  const facts = await native.facts();
  const { samples, counted: outside } = await countedSamples(point, native, facts.networkTransport);
  const moves = movesOf(plan, op, context.world.info.rank);
  const { bytes } = present(
    samples.phases.find(({ phase }) => phase === 'total'),
    'phase total',
  );
  const issued = { source: 'issued', sentBytes: bytes.ipc + bytes.network };
  const outcome = { point, op, facts, probe, samples, moves, wire: outside ?? issued };
  return {
    rows: samples.phases.map((phase) => rowOf(outcome, phase)),
    early: samples.batches.find(({ early }) => early !== '')?.early ?? '',
    stopped: samples.stopped,
  };
}

/** All ranks of a host read its counters when none of them sends. */
async function countedSamples(
  { context }: Point,
  native: NativeRankTransfer,
  networkTransport: string,
): Promise<{ readonly samples: Sampled<RankTransferSamples>; readonly counted: WireCount | null }> {
  const { world, device, addon } = context;
  const take = (): Promise<Sampled<RankTransferSamples>> =>
    takeSamples(context, (options) => native.measure(options));
  // The same on all ranks, so that all of them meet.
  const crosses = await context.onAnyRank('whether it crosses hosts', networkTransport !== '');
  const onGpus = device.properties.kind === 'cuda' && world.info.worldSize > 1;
  if (!crosses && !onGpus) return { samples: await take(), counted: null };
  const read = async (): Promise<WireCount | null> =>
    crosses ? readWireCounter(networkTransport) : await readNvlinkCounter(addon, device.properties.uuid);
  // Agreements and not barriers: a rank that fails next to one would meet the others in another call.
  const meet = (): Promise<void> => context.onAllRanks('reading the counters of links', () => undefined);
  await meet();
  const before = await context.onAllRanks('reading the counters of links', read);
  const samples = await take();
  await meet();
  const after = await read();
  if (before === null || after === null || samples.stopped || (crosses && networkTransport === '')) {
    return { samples, counted: null };
  }
  const sentBytes = (after.sentBytes - before.sentBytes) / (context.samples.warmup + samples.iterations);
  const ranks = crosses ? `, ${counted(world.info.hostSize, 'rank')} of this host` : '';
  return { samples, counted: { source: `${after.source}${ranks}`, sentBytes } };
}

function rowOf(outcome: Outcome, phase: Phase): Measurement<TransferColumn> {
  const { point, op, facts, probe, samples, wire } = outcome;
  const { spec } = point;
  const named = {
    phase: phase.phase,
    timing: phase.timing,
    direction: `${op} ${spec.from}->${spec.to}`,
    strategyRequested: op,
    transportRequested: spec.transport,
  };
  if (phase.timesUs.length === 0 && !samples.stopped) {
    const row: Idle<TransferColumn> = { state: 'idle', ...named };
    return row;
  }
  // What arrives is issued by others where they write.
  if (phase.phase !== 'visible' && !samples.stopped) requirePlanned(outcome, phase);
  const { setup, networkTransport, strategies } = facts;
  const { self, ipc, network } = phase.bytes;
  const row: Measured<TransferColumn> = {
    state: 'measured',
    ...named,
    samplesUs: phase.timesUs,
    entrySkewUs: phase.entrySkewUs,
    ...howItEnded(samples),
    bytes: bytesOf(outcome, phase),
    ...(probe !== null && probe.GBps > 0 && phase.phase === 'total'
      ? { peak: { GBps: probe.GBps, source: probe.source } }
      : {}),
    strategyUsed: [...new Set(strategies)].join('+'),
    transportUsed: usedPaths({ self, ipc, network }),
    ...(networkTransport === '' ? {} : { networkTransport }),
    ...(facts.networkMemory === '' ? {} : { networkMemory: facts.networkMemory }),
    setupUs: setup.registerUs + setup.exportUs + setup.importUs + setup.connectUs,
    extra: {
      ...ownColumns(outcome),
      ...(isWholeTransfer(phase) ? { wire_bytes: Math.round(wire.sentBytes), wire_source: wire.source } : {}),
    },
  };
  return row;
}

const isWholeTransfer = ({ phase }: Phase): boolean => phase === 'wire' || phase === 'total';

/** When everything is posted nothing need have moved: bytes over that time would be no bandwidth of anything. */
function bytesOf(outcome: Outcome, phase: Phase): MeasuredBytes {
  if (isWholeTransfer(phase)) return measuredPhase(phase, { stopped: false }).bytes;
  return phase.phase === 'visible' ? { payload: arrivingBytes(outcome) } : {};
}

function ownColumns({ point, moves, facts }: Outcome): Measured<TransferColumn>['extra'] {
  const { setup, strategies, numPieces, numRegions } = facts;
  const pages = moves.reduce((sum, { sourcePages }) => sum + sourcePages.length, 0);
  return {
    blocks_moved: pages / pagesPerFlowBlock(point.spec),
    transfer_peers: moves.length,
    regions: numRegions,
    pieces: numPieces,
    path: [...new Set(strategies)].join(', '),
    register_us: setup.registerUs,
    export_us: setup.exportUs,
    import_us: setup.importUs,
    connect_us: setup.connectUs,
    metadata_bytes: setup.metadataBytes,
  };
}

/** Of one iteration, into this rank: what all that sends here has planned. */
function arrivingBytes({ point }: Outcome): number {
  const { plan, context } = point;
  const { rank } = context.world.info;
  return movesOf(plan, 'read', rank).reduce((sum, { bytes }) => sum + bytes, 0);
}

function usedPaths(bytes: Readonly<Record<'self' | 'ipc' | 'network', number>>): string {
  const used = (['ipc', 'network'] as const).filter((path) => bytes[path] > 0);
  return used.length > 0 ? used.join('+') : 'self';
}

/**
 * Bytes are counted where they are issued, and must be those of the plan: a rank copies what it starts, but over the
 * network it sends what its own source gives, no matter who asked for it.
 */
function requirePlanned({ point, op, moves }: Outcome, { phase, bytes }: Phase): void {
  const { plan, context, overNetwork } = point;
  const total = (list: readonly PlannedMove[], network: 0 | 1 | null): number =>
    list.reduce((sum, move) => {
      const counts = network === null || overNetwork[move.peer] === network;
      return counts ? sum + move.bytes : sum;
    }, 0);
  const given = movesOf(plan, 'write', context.world.info.rank);
  for (const [what, issued, planned] of [
    ['payload', bytes.payload, total(moves, null)],
    ['bytes over memory', bytes.self + bytes.ipc, total(moves, 0)],
    ['bytes over the network', bytes.network, total(given, 1)],
  ] as const) {
    if (issued === planned) continue;
    throw new RunnerError(
      'E_WRONG_DATA',
      `${op}, phase ${phase}: ${what}: expected ${planned} by the plan, issued ${issued}`,
    );
  }
}
