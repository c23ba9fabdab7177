/** Stages of a high-throughput point. */
import type { Measured, Verification } from '../../../runner/job/measurement.js';
import type { OpenPoint } from '../../../runner/job/context.js';
import { measuredPhase } from '../../../runner/job/measured-phase.js';
import type { NativeMoe, NativeMoeFacts, Phase } from '../../../runner/native/types/index.js';
import { sum } from '../../../runner/values/sum.js';
import { peakOf, bytesToPeers, type Peak } from '../bytes/peak.js';
import type { IssuedBytes } from '../bytes/traffic.js';
import type { MoeColumn } from '../columns.js';
import { paddedHidden } from '../moe-spec.js';
import { networkFacts, openNative, type PointParts } from '../open-native.js';
import { peerPaths, requirePlanned } from '../paths.js';
import { verify } from '../thread/requests.js';
import { capacities, mostInboxes, symmetricBytesHigh, tokenRowBytes } from './capacity.js';
import { chooseStrategy } from './choose-strategy.js';
import { symmetricBytesHighCuda } from './cuda.js';
import { countRouting, type RoutingCounts } from '../bytes/routing-counts.js';
import type { Standing, Strategy } from './standing.js';
import { issuedBytesHigh, payloadHigh, unitsToHigh } from './traffic.js';

const CLOSE_TIMEOUT_MS = 30_000;
/** Or as many as the point has iterations. */
const PROBE_REPEATS = 21;

type Operation = 'dispatch' | 'combine';
const OPERATIONS: readonly Operation[] = ['dispatch', 'combine'];

interface PointState extends PointParts {
  readonly counts: RoutingCounts;
  readonly standing: Standing;
  readonly native: NativeMoe;
  readonly strategy: Strategy;
  readonly setupUs: number;
}

export async function openHighThroughput(parts: PointParts): Promise<OpenPoint<MoeColumn>> {
  const { spec, context, routing, paths, nodes } = parts;
  const { rank, nodeOfRank } = context.world.info;
  const counts = countRouting(spec, routing, nodeOfRank);
  const numTokens = routing.ranks.map((of) => of.numTokens);
  const isCuda = context.device.properties.kind === 'cuda';
  const standing = { rank, isCuda, paths, nodes, nodeOf: nodeOfRank, numTokens };
  const open = async (strategy: Strategy): Promise<NativeMoe> =>
    await openNative(parts, {
      strategy,
      expertAlignment: spec.expertAlignment,
      reuseLayout: spec.reuseLayout,
      weighted: spec.weighted,
      smCount: spec.smCount === 'auto' ? 0 : spec.smCount,
      receiveRows: spec.receiveRows,
    });
  const strategy = await chooseStrategy({ spec, context, counts, standing, open });
  const begin = performance.now();
  const native = await open(strategy);
  const setupUs = (performance.now() - begin) * 1000;
  return new OpenHighThroughput({ ...parts, counts, standing, native, strategy, setupUs });
}

class OpenHighThroughput implements OpenPoint<MoeColumn> {
  readonly #state: PointState;
  readonly #closing = new AbortController();

  constructor(state: PointState) {
    this.#state = state;
  }

  async measure(): Promise<Measured<MoeColumn>[]> {
    const peaks = await probePeaks(this.#state);
    const { native, context } = this.#state;
    const { phases, stopped } = await native.measure(context.samples);
    const facts = await native.facts();
    return phases.map((phase) => measurement(this.#state, { phase, stopped, facts, peaks }));
  }

  async verify(): Promise<Verification[]> {
    const { spec, routing, native, context } = this.#state;
    if (spec.verify === 'off') return [];
    const { rank, nodeOfRank } = context.world.info;
    const results = await native.results();
    return await verify({ work: 'verify', spec, routing, rank, nodeOfRank, results }, this.#closing.signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#state.native.close(true, CLOSE_TIMEOUT_MS);
  }
}

type Peaks = ReadonlyMap<string, Peak>;

async function probePeaks(state: PointState): Promise<Peaks> {
  const { spec, counts, standing, native, paths, context } = state;
  const peaks = new Map<string, Peak>();
  if (!spec.probe) return peaks;
  for (const operation of OPERATIONS) {
    const issued = planned(state, operation);
    const rates = await native.probe(
      {
        repeats: Math.min(PROBE_REPEATS, context.samples.iterations),
        bytesTo: bytesToPeers(paths, issued, unitsToHigh(counts, standing, operation)),
        sourceBytes: sourceBytes(state, operation),
      },
      context.remainingMs(),
    );
    if (rates.stopped) continue;
    const { payload } = payloadHigh(spec, counts, standing.rank, operation);
    const peak = peakOf(payload, issued, rates, context.device.properties.kind);
    if (peak !== undefined) peaks.set(operation, peak);
  }
  return peaks;
}

/** Memory that rows are read from: the tokens, or the partial sums. */
function sourceBytes({ spec, standing, counts }: PointState, operation: Operation): number {
  const { rank, numTokens } = standing;
  if (operation === 'dispatch') return (numTokens[rank] ?? 0) * tokenRowBytes(spec);
  return counts.tokensTo.reduce((sum, to) => sum + (to[rank] ?? 0), 0) * 2 * paddedHidden(spec);
}

function planned(
  { spec, context, counts, standing, strategy }: PointState,
  operation: Operation,
): IssuedBytes {
  const { warmup, iterations } = context.samples;
  const isAgain = spec.reuseLayout && warmup + iterations > 1;
  return issuedBytesHigh(spec, counts, standing, { operation, strategy, isAgain });
}

interface MeasuredCall {
  readonly phase: Phase;
  readonly stopped: boolean;
  readonly facts: NativeMoeFacts;
  readonly peaks: Peaks;
}

const median = (values: Float64Array): number => values.toSorted()[Math.floor(values.length / 2)] ?? NaN;

function measurement(state: PointState, { phase, stopped, facts, peaks }: MeasuredCall): Measured<MoeColumn> {
  const { spec, routing, paths, counts, standing } = state;
  const operation: Operation = phase.phase === 'dispatch' ? 'dispatch' : 'combine';
  const { payload, padded, logical, wire } = payloadHigh(spec, counts, standing.rank, operation);
  const peak = peaks.get(operation);
  const { self, ipc, network } = phase.bytes;
  if (!stopped) requirePlanned(phase.bytes, planned(state, operation), phase.phase);
  const used = [...new Set(paths.filter((path) => path !== 'self'))].toSorted();
  const forwards = state.nodes === null ? '' : ', forwarded inside nodes';
  return {
    ...measuredPhase(phase, stopped),
    bytes: { payload, logical, padded, self, ipc, network },
    ...(peak === undefined ? {} : { peak }),
    strategyRequested: spec.strategy,
    strategyUsed: `${facts.strategy}${forwards}`,
    transportRequested: spec.transport,
    transportUsed: used.length > 0 ? used.join('+') : 'self',
    ...networkFacts(facts),
    setupUs: state.setupUs,
    routingDigest: routing.digest,
    extra: {
      ...countColumns(state),
      ...(phase.timesUs.length > 0 ? { wire_GBps: wire / median(phase.timesUs) / 1000 } : {}),
      ...(facts.processors > 0 ? { sms: facts.processors } : {}),
      first_call_us: operation === 'dispatch' ? facts.dispatchFirstUs : facts.combineFirstUs,
    },
  };
}

function countColumns(state: PointState): NonNullable<Measured<MoeColumn>['extra']> {
  const { spec, counts, standing, paths, nodes, strategy } = state;
  const { rank, numTokens, nodeOf } = standing;
  const local = spec.numExperts / paths.length;
  const expertRows = counts.rowsOfExpert.slice(rank * local, (rank + 1) * local);
  const memory = capacities(spec, paths.length, counts);
  return {
    num_tokens: numTokens[rank] ?? 0,
    num_selections: counts.selections[rank] ?? 0,
    messages_sent: sum(counts.tokensTo[rank] ?? []),
    rows_received: sum(expertRows),
    experts_hit: expertRows.filter((rows) => rows > 0).length,
    rows_per_expert_max: Math.max(0, ...expertRows),
    padded_hidden: paddedHidden(spec),
    receive_rows: memory[rank]?.rows ?? 0,
    symmetric_bytes: standing.isCuda
      ? symmetricBytesHighCuda(spec, memory, strategy)
      : symmetricBytesHigh(
          spec,
          memory,
          mostInboxes(
            nodes,
            nodeOf.map((_, from) => peerPaths(spec, from, nodeOf)),
          ),
        ),
  };
}
