/** Stages of a dispatchCombine point: everything timed is one call into the addon. */
import type { OpenPoint, PointContext } from '../../runner/job/context.js';
import { measuredPhase } from '../../runner/job/measured-phase.js';
import { takeSamples, type Sampled } from '../../runner/job/take-samples.js';
import type { Measured, Verification } from '../../runner/job/measurement.js';
import type { MeasuredPhases, NativeMoeFacts, Phase } from '../../runner/native/types/index.js';
import type { OpenAlgorithm, Operation } from './algorithm.js';
import { sum } from '../../runner/values/sum.js';
import { forwardingNodes } from './bytes/nodes.js';
import { bytesToPeers, peakOf, type Peak } from './bytes/peak.js';
import { countRouting } from './bytes/routing-counts.js';
import type { MoeColumn } from './columns.js';
import { openHighThroughput } from './high-throughput/open.js';
import { openLowLatency } from './low-latency.js';
import { isHighThroughput, paddedHidden, type MoeSpec } from './moe-spec.js';
import { networkFacts, type PointParts } from './open-native.js';
import { peerPaths, requirePlanned } from './paths.js';
import { route, verify } from './thread/requests.js';

const CLOSE_TIMEOUT_MS = 30_000;
/** Or as many as the point has iterations. */
const PROBE_REPEATS = 21;

export async function openExchange(spec: MoeSpec, context: PointContext): Promise<OpenPoint<MoeColumn>> {
  const { world } = context;
  const { rank, worldSize } = world.info;
  const { paths, routing } = await context.onAllRanks('routing', async () => ({
    paths: peerPaths(spec, rank, world.info.nodeOfRank),
    routing: await route({ work: 'route', spec, worldSize, files: context.point.files }, context.signal),
  }));
  const nodes = forwardingNodes(spec, world.info.nodeOfRank, context.device.properties.kind);
  const counts = countRouting(spec, routing, world.info.nodeOfRank);
  const parts: PointParts = { spec, context, routing, counts, paths, nodes };
  const open = isHighThroughput(spec) ? openHighThroughput : openLowLatency;
  return new OpenExchange(parts, await open(parts));
}

class OpenExchange implements OpenPoint<MoeColumn> {
  readonly #parts: PointParts;
  readonly #algorithm: OpenAlgorithm;
  readonly #closing = new AbortController();

  constructor(parts: PointParts, algorithm: OpenAlgorithm) {
    this.#parts = parts;
    this.#algorithm = algorithm;
  }

  async measure(): Promise<Measured<MoeColumn>[]> {
    const peaks = await probePeaks(this.#parts, this.#algorithm);
    const { native } = this.#algorithm;
    const sampled = await takeSamples(this.#parts.context, (options) => native.measure(options));
    const facts = await native.facts();
    return sampled.phases.map((phase) =>
      measurement(this.#parts, this.#algorithm, { phase, sampled, facts, peaks }),
    );
  }

  async verify(): Promise<Verification[]> {
    const { spec, routing, context } = this.#parts;
    if (spec.verify === 'off') return [];
    const { rank, nodeOfRank } = context.world.info;
    const results = await this.#algorithm.native.results();
    return await verify(
      { work: 'verify', spec, routing, rank, nodeOfRank, device: context.device.properties.kind, results },
      this.#closing.signal,
    );
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#algorithm.native.close(true, CLOSE_TIMEOUT_MS);
  }
}

/** By operation; none where nothing was probed. */
type Peaks = ReadonlyMap<string, Peak>;

/** The halves of a split call have none: what one of them leaves to the other is not bounded. */
async function probePeaks({ spec, paths, context }: PointParts, algorithm: OpenAlgorithm): Promise<Peaks> {
  const peaks = new Map<string, Peak>();
  if (!spec.probe || spec.phases === 'split') return peaks;
  for (const operation of ['dispatch', 'combine'] as const) {
    const issued = algorithm.issued(operation);
    const request = {
      repeats: Math.min(PROBE_REPEATS, context.samples.iterations),
      bytesTo: bytesToPeers(paths, issued, algorithm.unitsTo(operation)),
      sourceBytes: algorithm.sourceBytes(operation),
    };
    const rates = await algorithm.native.probe(request, context.remainingMs());
    const { payload } = algorithm.bytes(operation);
    const peak = peakOf(payload, issued, rates, context.device.properties.kind);
    if (peak !== undefined) peaks.set(operation, peak);
  }
  return peaks;
}

interface MeasuredCall {
  readonly phase: Phase;
  readonly sampled: Sampled<MeasuredPhases>;
  readonly facts: NativeMoeFacts;
  readonly peaks: Peaks;
}

function measurement(
  { spec, routing, counts, paths, context }: PointParts,
  algorithm: OpenAlgorithm,
  { phase, sampled, facts, peaks }: MeasuredCall,
): Measured<MoeColumn> {
  const operation: Operation = phase.phase.startsWith('dispatch') ? 'dispatch' : 'combine';
  const peak = peaks.get(phase.phase);
  const isReceive = phase.phase.endsWith('Receive');
  const { payload, padded, logical } = algorithm.bytes(operation);
  const { self, ipc, network } = phase.bytes;
  if (!isReceive && !sampled.stopped) requirePlanned(phase.bytes, algorithm.issued(operation), phase.phase);
  const used = [...new Set(paths.filter((path) => path !== 'self'))].toSorted();
  const { moved } = algorithm;
  return {
    ...measuredPhase(phase, sampled),
    bytes: { payload, logical, padded, ...(isReceive ? {} : { self, ipc, network }) },
    ...(peak === undefined ? {} : { peak }),
    strategyRequested: algorithm.strategyRequested,
    strategyUsed: algorithm.strategyUsed(facts),
    transportRequested: spec.transport,
    transportUsed: used.length > 0 ? used.join('+') : 'self',
    ...networkFacts(facts),
    setupUs: algorithm.setupUs,
    routingDigest: routing.digest,
    extra: {
      num_tokens: counts.numTokens[context.world.info.rank] ?? 0,
      num_selections: moved.selections,
      messages_sent: moved.messagesSent,
      rows_received: sum(moved.expertRows),
      experts_hit: moved.expertRows.filter((rows) => rows > 0).length,
      rows_per_expert_max: Math.max(0, ...moved.expertRows),
      padded_hidden: paddedHidden(spec),
      symmetric_bytes: moved.symmetricBytes,
      messages_forwarded: moved.messagesForwarded,
      ...algorithm.columns(operation, phase, facts),
    },
  };
}
