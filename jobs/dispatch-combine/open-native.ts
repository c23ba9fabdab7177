/** The addon's point, whatever the algorithm. */
import { faultsAt } from '../../runner/job/measured-phase.js';
import type { PointContext } from '../../runner/job/context.js';
import type { NativeHighThroughput, NativeMoe, NativeMoeFacts } from '../../runner/native/types/index.js';
import { itemAt } from '../../runner/values/items.js';
import type { Nodes } from './bytes/nodes.js';
import type { RoutingCounts } from './bytes/routing-counts.js';
import type { PeerPath } from './bytes/traffic.js';
import { proxiesOf, seed32, usesDedup, type MoeSpec } from './moe-spec.js';
import type { Routing } from './routing/routing.js';

export interface PointParts {
  readonly spec: MoeSpec;
  readonly context: PointContext;
  readonly routing: Routing;
  readonly counts: RoutingCounts;
  readonly paths: readonly PeerPath[];
  /** Between which tokens are forwarded; null: none are. */
  readonly nodes: Nodes | null;
}

/** `highThroughput`: null for low latency. */
export async function openNative(
  { spec, context, routing, paths, nodes }: PointParts,
  highThroughput: NativeHighThroughput | null,
): Promise<NativeMoe> {
  const { world, device } = context;
  const own = itemAt(routing.ranks, world.info.rank);
  return await device.native.openMoe(world.native, {
    numExperts: spec.numExperts,
    numTopk: spec.numTopk,
    hidden: spec.hidden,
    maxDispatchTokensPerRank: spec.maxDispatchTokensPerRank,
    dispatchDtype: spec.dispatchDtype,
    roundScale: spec.roundScale,
    dedup: usesDedup(spec),
    outputLayout: spec.outputLayout,
    zeroCopy: spec.zeroCopy,
    seed: seed32(spec),
    overNetwork: Uint8Array.from(paths, (path) => (path === 'network' ? 1 : 0)),
    nodeOfRank: Uint32Array.from(nodes === null ? [] : world.info.nodeOfRank),
    numProxies: proxiesOf(spec, device.properties.kind),
    split: spec.phases === 'split',
    highThroughput,
    topkIdx: own.topkIdx,
    topkWeights: own.topkWeights,
    numTokens: own.numTokens,
    timeoutMs: context.remainingMs(),
    // The first exchange still works: the fault strikes inside the loop.
    faults: faultsAt(context, { silence: 3, corrupt: 1 }),
  });
}

/** What rows say of the network; nothing where none is used. */
export function networkFacts({ networkTransport, networkMemory }: NativeMoeFacts): {
  readonly networkTransport?: string;
  readonly networkMemory?: string;
} {
  return networkTransport === '' ? {} : { networkTransport, networkMemory };
}
