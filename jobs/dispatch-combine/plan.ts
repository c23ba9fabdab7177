/** Bytes and memory of one rank, from the spec. */
import type { FilePlaces } from '../../runner/job-spec/files.js';
import type { PlanPlace, PointNeed, PointPlan } from '../../runner/job-spec/spec-kind.js';
import { needOfHighThroughput, planHighThroughput } from './high-throughput/plan.js';
import { isHighThroughput, type MoeSpec } from './moe-spec.js';
import { dedupUsed, forwardingNodes, mostNetworkPeers, nodesInBlocks, type Nodes } from './bytes/nodes.js';
import { networkMemoryBytesCuda, symmetricBytesCuda } from './bytes/cuda.js';
import { privateBytes, mscclppHintBytes, symmetricBytes } from './bytes/memory.js';
import { makeRouting, type Routing } from './routing/routing.js';
import { countRouting, type RoutingCounts } from './bytes/routing-counts.js';
import { payloadBytes, trafficOf } from './bytes/traffic.js';
import { LastAnswer } from '../../runner/values/last-answer.js';

/** Every rank of a plan, and every point that differs in something else, asks for the same routing one after the other. */
const routings = new LastAnswer<Routing>();
const counted = new LastAnswer<RoutingCounts>();

function routingOf(spec: MoeSpec, worldSize: number, files: FilePlaces): Routing {
  const { routing, seed, numTokens, numTopk, numExperts } = spec;
  const key = JSON.stringify([worldSize, routing, seed, numTokens, numTopk, numExperts]);
  return routings.of(files, key, () => makeRouting(spec, worldSize, files));
}

function countsOf(spec: MoeSpec, { worldSize, ranksPerNode }: PlanPlace, files: FilePlaces): RoutingCounts {
  const routing = routingOf(spec, worldSize, files);
  const count = (): RoutingCounts => countRouting(spec, routing, nodesInBlocks(worldSize, ranksPerNode));
  return counted.of(routing, String(ranksPerNode), count);
}

export function planMoe(spec: MoeSpec, place: PlanPlace, files: FilePlaces): PointPlan {
  if (isHighThroughput(spec)) return planHighThroughput(spec, place, countsOf(spec, place, files));
  const nodes = nodesOf(spec, place);
  const traffic = trafficOf(spec, countsOf(spec, place, files), place.rank, nodes);
  return {
    ...needOfMoe(spec, place),
    payloadBytes:
      payloadBytes(spec, traffic, 'dispatch').payload + payloadBytes(spec, traffic, 'combine').payload,
    details: {
      symmetric_bytes: symmetricOf(spec, place),
      mscclpp_hint_bytes: mscclppHintBytes(spec),
      dedup: dedupUsed(spec, nodes),
      selections: traffic.selections,
    },
  };
}

/** Without the routing, which takes long for many tokens and does not change what is allocated. */
export function needOfMoe(spec: MoeSpec, place: PlanPlace): PointNeed {
  if (isHighThroughput(spec)) return needOfHighThroughput(spec, place, null);
  const { worldSize } = place;
  const nodes = nodesOf(spec, place);
  const mostPeers = nodes?.numRails ?? mostNetworkPeers(spec, place);
  const isCuda = place.device === 'cuda';
  return {
    memoryBytes: {
      device: symmetricOf(spec, place) + privateBytes(spec, worldSize, place.device),
      host: isCuda ? networkMemoryBytesCuda(spec, worldSize, mostPeers, nodes?.ranksPerNode ?? 1) : 0,
      disk: 0,
    },
  };
}

const nodesOf = (spec: MoeSpec, { worldSize, ranksPerNode, device }: PlanPlace): Nodes | null =>
  forwardingNodes(spec, nodesInBlocks(worldSize, ranksPerNode), device);

function symmetricOf(spec: MoeSpec, place: PlanPlace): number {
  const { worldSize, device } = place;
  if (device !== 'cuda') return symmetricBytes(spec, worldSize);
  return symmetricBytesCuda(spec, worldSize, nodesOf(spec, place)?.ranksPerNode ?? 1);
}
