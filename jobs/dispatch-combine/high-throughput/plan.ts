/** Bytes and memory of one rank with high throughput, from the spec and its routing. */
import type { PlanPlace, PointNeed, PointPlan } from '../../../runner/job-spec/spec-kind.js';
import { itemAt } from '../../../runner/values/items.js';
import { forwardingNodes, mostNetworkPeers, nodesInBlocks } from '../bytes/nodes.js';
import type { PeerPath } from '../bytes/traffic.js';
import type { MoeSpec } from '../moe-spec.js';
import { capacities, mostInboxes, privateBytesHigh, symmetricBytesHigh, type Capacity } from './capacity.js';
import type { RoutingCounts } from '../bytes/routing-counts.js';
import { stagedBytesHighCuda, symmetricBytesHighCuda } from './cuda.js';
import { payloadHigh } from './traffic.js';

export function planHighThroughput(spec: MoeSpec, place: PlanPlace, counts: RoutingCounts): PointPlan {
  const { worldSize, rank } = place;
  const memory = capacities(spec, worldSize, counts);
  const payload = (operation: 'dispatch' | 'combine'): number =>
    payloadHigh(spec, counts, rank, operation).payload;
  return {
    ...needOfHighThroughput(spec, place, memory),
    payloadBytes: payload('dispatch') + payload('combine'),
    details: {
      symmetric_bytes: symmetricOf(spec, place, memory),
      receive_rows: itemAt(memory, rank).rows,
      received_tokens: counts.tokensTo.reduce((sum, to) => sum + (to[rank] ?? 0), 0),
      selections: counts.selections[rank] ?? 0,
    },
  };
}

/** `memory` null: the routing, which takes long for many tokens, is not counted yet. */
export function needOfHighThroughput(
  spec: MoeSpec,
  place: PlanPlace,
  memory: readonly Capacity[] | null,
): PointNeed {
  const { worldSize, rank } = place;
  const all = memory ?? capacities(spec, worldSize, null);
  const device = symmetricOf(spec, place, all) + privateBytesHigh(spec, worldSize, itemAt(all, rank));
  const host = stagedOf(spec, place, all);
  return { memoryBytes: { device, host, disk: 0 } };
}

/** Pinned memory between GPUs and their peers over the network. */
function stagedOf(spec: MoeSpec, place: PlanPlace, memory: readonly Capacity[]): number {
  if (place.device !== 'cuda') return 0;
  return stagedBytesHighCuda(symmetricOf(spec, place, memory), mostNetworkPeers(spec, place));
}

function symmetricOf(
  spec: MoeSpec,
  { worldSize, ranksPerNode, device }: PlanPlace,
  memory: readonly Capacity[],
): number {
  // With auto both are opened, one after the other: the larger counts.
  if (device === 'cuda') {
    const isStaged = mostNetworkPeers(spec, { worldSize, ranksPerNode }) > 0;
    const strategy = spec.strategy === 'sparse' ? 'sparse' : 'allGather';
    return symmetricBytesHighCuda(spec, memory, strategy, isStaged);
  }
  const nodeOf = nodesInBlocks(worldSize, ranksPerNode);
  const paths = nodeOf.map((own, rank) =>
    nodeOf.map((node, peer): PeerPath => {
      if (peer === rank) return 'self';
      const isFar = spec.transport === 'network' || (spec.transport === 'hybrid' && node !== own);
      return isFar ? 'network' : 'ipc';
    }),
  );
  return symmetricBytesHigh(spec, memory, mostInboxes(forwardingNodes(spec, nodeOf, device), paths));
}
