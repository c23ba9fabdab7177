/** Stages of a dispatchCombine point: everything timed is one call into the addon. */
import type { Measured, Verification } from '../../runner/job/measurement.js';
import type { OpenPoint, PointContext } from '../../runner/job/context.js';
import { measuredPhase } from '../../runner/job/measured-phase.js';
import type { NativeMoe, NativeMoeFacts, Phase } from '../../runner/native/types/index.js';
import { sum } from '../../runner/values/sum.js';
import type { MoeColumn } from './columns.js';
import { networkFacts, openNative } from './open-native.js';
import { issuedBytesCuda, symmetricBytesCuda } from './bytes/cuda.js';
import { forwardedBytesCuda } from './bytes/cuda-forwarded.js';
import { countRouting, type RoutingCounts } from './bytes/routing-counts.js';
import { isHighThroughput, paddedHidden, type MoeSpec } from './moe-spec.js';
import { mscclppHintBytes, symmetricBytes } from './bytes/memory.js';
import { dedupUsed, forwardingNodes, type Nodes } from './bytes/nodes.js';
import { bytesToPeers, peakOf, sourceBytes, type Peak } from './bytes/peak.js';
import { openHighThroughput } from './high-throughput/open.js';
import { peerPaths, requirePlanned } from './paths.js';
import type { Routing } from './routing/routing.js';
import { route, verify } from './thread/requests.js';
import {
  issuedBytes,
  logicalBytes,
  payloadBytes,
  trafficOf,
  unitsTo,
  type IssuedBytes,
  type PeerPath,
  type Traffic,
} from './bytes/traffic.js';

const CLOSE_TIMEOUT_MS = 30_000;
/** Or as many as the point has iterations. */
const PROBE_REPEATS = 21;

interface PointState {
  readonly context: PointContext;
  readonly spec: MoeSpec;
  readonly routing: Routing;
  readonly counts: RoutingCounts;
  readonly traffic: Traffic;
  readonly paths: readonly PeerPath[];
  readonly nodes: Nodes | null;
  readonly native: NativeMoe;
  readonly setupUs: number;
}

export async function openExchange(spec: MoeSpec, context: PointContext): Promise<OpenPoint<MoeColumn>> {
  const { world } = context;
  const { rank, worldSize } = world.info;
  const { paths, routing } = await context.onAllRanks('routing', async () => ({
    paths: peerPaths(spec, rank, world.info.nodeOfRank),
    routing: await route({ work: 'route', spec, worldSize, files: context.point.files }, context.signal),
  }));
  const nodes = forwardingNodes(spec, world.info.nodeOfRank);
  if (isHighThroughput(spec)) return await openHighThroughput({ spec, context, routing, paths, nodes });
  const counts = countRouting(spec, routing, world.info.nodeOfRank);
  const begin = performance.now();
  const native = await openNative({ spec, context, routing, paths, nodes }, null);
  return new OpenExchange({
    context,
    spec,
    routing,
    counts,
    traffic: trafficOf(spec, counts, rank, nodes),
    paths,
    nodes,
    native,
    setupUs: (performance.now() - begin) * 1000,
  });
}

class OpenExchange implements OpenPoint<MoeColumn> {
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

type Operation = 'dispatch' | 'combine';

/** By operation; none where nothing was probed. */
type Peaks = ReadonlyMap<string, Peak>;

/** The halves of a split call have none: what one of them leaves to the other is not bounded. */
async function probePeaks(state: PointState): Promise<Peaks> {
  const { spec, traffic, native, paths, context } = state;
  const peaks = new Map<string, Peak>();
  if (!spec.probe || spec.phases === 'split') return peaks;
  const { rank } = context.world.info;
  const numTokens = state.counts.numTokens[rank] ?? 0;
  for (const operation of ['dispatch', 'combine'] as const) {
    const issued = plannedBytes(state, operation);
    const request = {
      repeats: Math.min(PROBE_REPEATS, context.samples.iterations),
      bytesTo: bytesToPeers(paths, issued, unitsTo(traffic, { rank, nodes: state.nodes }, operation)),
      sourceBytes: sourceBytes(spec, traffic, numTokens, operation),
    };
    const rates = await native.probe(request, context.remainingMs());
    if (rates.stopped) continue;
    const { payload } = payloadBytes(spec, traffic, operation);
    const peak = peakOf(payload, issued, rates, isCuda(state) ? 'cuda' : 'host');
    if (peak !== undefined) peaks.set(operation, peak);
  }
  return peaks;
}

interface MeasuredCall {
  readonly phase: Phase;
  readonly stopped: boolean;
  readonly facts: NativeMoeFacts;
  readonly peaks: Peaks;
}

function measurement(state: PointState, { phase, stopped, facts, peaks }: MeasuredCall): Measured<MoeColumn> {
  const { spec, traffic, routing, counts, paths } = state;
  const operation: Operation = phase.phase.startsWith('dispatch') ? 'dispatch' : 'combine';
  const peak = peaks.get(phase.phase);
  const isReceive = phase.phase.endsWith('Receive');
  const bytes = payloadBytes(spec, traffic, operation);
  const { self, ipc, network } = phase.bytes;
  if (!isReceive && !stopped) requirePlanned(phase.bytes, plannedBytes(state, operation), phase.phase);
  const used = [...new Set(paths.filter((path) => path !== 'self'))].toSorted();
  return {
    ...measuredPhase(phase, stopped),
    bytes: {
      payload: bytes.payload,
      logical: logicalBytes(spec, traffic, operation),
      padded: bytes.padded,
      ...(isReceive ? {} : { self, ipc, network }),
    },
    ...(peak === undefined ? {} : { peak }),
    strategyRequested: `dedup ${spec.dedup}`,
    strategyUsed: `dedup ${dedupUsed(spec, state.nodes)}`,
    transportRequested: spec.transport,
    transportUsed: used.length > 0 ? used.join('+') : 'self',
    ...networkFacts(facts),
    setupUs: state.setupUs,
    routingDigest: routing.digest,
    extra: {
      num_tokens: counts.numTokens[state.context.world.info.rank] ?? 0,
      num_selections: traffic.selections,
      messages_sent: sum(traffic.messagesTo),
      rows_received: sum(traffic.expertRows),
      experts_hit: traffic.expertRows.filter((rows) => rows > 0).length,
      rows_per_expert_max: Math.max(0, ...traffic.expertRows),
      padded_hidden: paddedHidden(spec),
      symmetric_bytes: isCuda(state)
        ? symmetricBytesCuda(spec, paths.length, state.nodes?.ranksPerNode)
        : symmetricBytes(spec, paths.length),
      mscclpp_hint_bytes: mscclppHintBytes(spec),
      messages_forwarded: sum(traffic.forwardsTo),
    },
  };
}

const isCuda = ({ context }: PointState): boolean => context.device.properties.kind === 'cuda';

function plannedBytes(state: PointState, operation: Operation): IssuedBytes {
  const { spec, counts, traffic, paths, nodes, context } = state;
  const { rank } = context.world.info;
  if (!isCuda(state)) return issuedBytes(spec, traffic, { paths, nodes }, operation);
  return nodes === null
    ? issuedBytesCuda(spec, counts, rank, paths, operation)
    : forwardedBytesCuda(spec, counts, { rank, nodes }, operation);
}
