/** Low latency: messages go out before anything is counted. */
import { sum } from '../../runner/values/sum.js';
import type { OpenAlgorithm, Operation } from './algorithm.js';
import { forwardedBytesCuda } from './bytes/cuda-forwarded.js';
import { issuedBytesCuda, symmetricBytesCuda } from './bytes/cuda.js';
import { mscclppHintBytes, symmetricBytes } from './bytes/memory.js';
import { dedupUsed } from './bytes/nodes.js';
import { sourceBytes } from './bytes/peak.js';
import {
  issuedBytes,
  logicalBytes,
  payloadBytes,
  trafficOf,
  unitsTo,
  type IssuedBytes,
} from './bytes/traffic.js';
import { openNative, type PointParts } from './open-native.js';

export async function openLowLatency(parts: PointParts): Promise<OpenAlgorithm> {
  const { spec, context, counts, paths, nodes } = parts;
  const { rank } = context.world.info;
  const traffic = trafficOf(spec, counts, rank, nodes);
  const begin = performance.now();
  const native = await openNative(parts, null);
  const setupUs = (performance.now() - begin) * 1000;
  const isCuda = context.device.properties.kind === 'cuda';
  const issued = (operation: Operation): IssuedBytes => {
    if (!isCuda) return issuedBytes(spec, traffic, { paths, nodes }, operation);
    return nodes === null
      ? issuedBytesCuda(spec, counts, rank, paths, operation)
      : forwardedBytesCuda(spec, counts, { rank, nodes }, operation);
  };
  return {
    native,
    setupUs,
    moved: {
      selections: traffic.selections,
      messagesSent: sum(traffic.messagesTo),
      messagesForwarded: sum(traffic.forwardsTo),
      expertRows: traffic.expertRows,
      symmetricBytes: isCuda
        ? symmetricBytesCuda(spec, paths.length, nodes?.ranksPerNode)
        : symmetricBytes(spec, paths.length),
    },
    strategyRequested: `dedup ${spec.dedup}`,
    strategyUsed: () => `dedup ${dedupUsed(spec, nodes)}`,
    issued,
    unitsTo: (operation) => unitsTo(traffic, { rank, nodes }, operation),
    sourceBytes: (operation) => sourceBytes(spec, traffic, counts.numTokens[rank] ?? 0, operation),
    bytes: (operation) => ({
      ...payloadBytes(spec, traffic, operation),
      logical: logicalBytes(spec, traffic, operation),
    }),
    columns: () => ({ mscclpp_hint_bytes: mscclppHintBytes(spec) }),
  };
}
