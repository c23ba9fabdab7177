/** Stage `measure` of one operation: the probe, the samples, and the rows that come of them. */
import { RunnerError } from '../../runner/errors.js';
import type { Idle, Measured, Measurement } from '../../runner/job/measurement.js';
import type {
  NativeRankTransfer,
  ProbeResult,
  RankTransferPhase,
  RankTransferSamples,
} from '../../runner/native/types/index.js';
import type { TransferColumn } from './columns.js';
import { arrivals, movesOf, type Operation, type PlannedMove } from './moves.js';
import type { Point } from './open.js';
import { pagesPerFlowBlock } from './sides.js';

export interface MeasuredOperation {
  readonly rows: Measurement<TransferColumn>[];
  readonly early: string;
  readonly stopped: boolean;
}

interface Outcome {
  readonly point: Point;
  readonly op: Operation;
  readonly native: NativeRankTransfer;
  readonly probe: ProbeResult | null;
  readonly samples: RankTransferSamples;
  readonly moves: readonly PlannedMove[];
}

/** `prepare` fills the pools anew: a probe leaves its own bytes in the targets. */
export async function measureOperation(
  point: Point,
  op: Operation,
  native: NativeRankTransfer,
  prepare: () => Promise<void>,
): Promise<MeasuredOperation> {
  const { spec, context, plan } = point;
  const probe = spec.probe ? await native.probe() : null;
  if (probe !== null) await prepare();
  const samples = await native.measure(context.samples);
  const moves = movesOf(plan, op, context.world.info.rank);
  const outcome = { point, op, native, probe, samples, moves };
  return {
    rows: samples.phases.map((phase) => rowOf(outcome, phase)),
    early: samples.early,
    stopped: samples.stopped,
  };
}

function rowOf(outcome: Outcome, phase: RankTransferPhase): Measurement<TransferColumn> {
  const { point, op, native, probe, samples, moves } = outcome;
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
  const issues = phase.phase !== 'visible';
  if (issues && !samples.stopped) requirePlanned(phase, moves, op);
  const { setup, networkTransport, strategies, numPieces, numRegions } = native.facts;
  const { self, ipc, network } = phase.bytes;
  const row: Measured<TransferColumn> = {
    state: 'measured',
    ...named,
    samplesUs: phase.timesUs,
    entrySkewUs: phase.entrySkewUs,
    stopped: samples.stopped,
    bytes: issues ? phase.bytes : { payload: arrivingBytes(outcome) },
    ...(probe !== null && probe.GBps > 0 && phase.phase === 'total'
      ? { peak: { GBps: probe.GBps, source: probe.source } }
      : {}),
    strategyUsed: [...new Set(strategies)].join('+'),
    transportUsed: usedPaths({ self, ipc, network }),
    ...(networkTransport === '' ? {} : { networkTransport }),
    setupUs: setup.registerUs + setup.exportUs + setup.importUs + setup.connectUs,
    extra: {
      blocks_moved:
        moves.reduce((sum, { sourcePages }) => sum + sourcePages.length, 0) / pagesPerFlowBlock(spec),
      transfer_peers: moves.length,
      regions: numRegions,
      pieces: numPieces,
      path: [...new Set(strategies)].join(', '),
      ...(issues ? { wire_bytes: ipc + network, wire_source: 'issued' } : {}),
      register_us: setup.registerUs,
      export_us: setup.exportUs,
      import_us: setup.importUs,
      connect_us: setup.connectUs,
      metadata_bytes: setup.metadataBytes,
    },
  };
  return row;
}

/** Of one iteration, into this rank: what all that sends here has planned. */
function arrivingBytes({ point }: Outcome): number {
  const { plan, context } = point;
  const { rank } = context.world.info;
  if (arrivals(plan, rank).length === 0) return 0;
  return movesOf(plan, 'read', rank).reduce((sum, { bytes }) => sum + bytes, 0);
}

function usedPaths(bytes: Readonly<Record<'self' | 'ipc' | 'network', number>>): string {
  const used = (['ipc', 'network'] as const).filter((path) => bytes[path] > 0);
  return used.length > 0 ? used.join('+') : 'self';
}

/** Bytes are counted where they are issued; they must be those of the plan. */
function requirePlanned(phase: RankTransferPhase, moves: readonly PlannedMove[], op: Operation): void {
  const planned = moves.reduce((sum, { bytes }) => sum + bytes, 0);
  const { payload, self, ipc, network } = phase.bytes;
  for (const [what, issued] of [
    ['payload', payload],
    ['bytes over all paths', self + ipc + network],
  ] as const) {
    if (issued === planned) continue;
    throw new RunnerError(
      'E_WRONG_DATA',
      `${op}, phase ${phase.phase}: ${what}: expected ${planned} by the plan, issued ${issued}`,
    );
  }
}
