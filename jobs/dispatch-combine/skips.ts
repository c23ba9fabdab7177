/** Which points cannot reach all peers somewhere, known before anything is opened. */
import type { RunPlace } from '../../runner/job-spec/spec-kind.js';
import { isHighThroughput, sumsWhereRowsLie, type MoeSpec } from './moe-spec.js';
import { nodesInBlocks, unequalNodes } from './bytes/nodes.js';

/** What one kernel reaches; the native module refuses more (native/moe/cuda/low_latency/buffer_map.h). */
const MOST_CUDA_RANKS = 64;
/** Likewise with high throughput (native/moe/cuda/high_throughput/arguments.h). */
const MOST_HIGH_CUDA_RANKS = 32;

export function skippedTransport(
  spec: Pick<MoeSpec, 'transport' | 'dedup' | 'algorithm' | 'zeroCopy' | 'outputLayout'>,
  {
    device,
    worldSize,
    ranksPerNode,
    networkMissing,
  }: Pick<RunPlace, 'device' | 'worldSize' | 'ranksPerNode' | 'networkMissing'>,
): string | null {
  const { transport, dedup, algorithm } = spec;
  if (device === 'cuda' && sumsWhereRowsLie(spec)) {
    return "zeroCopy of expertMajor outputs with dedup on: owners sum peers' rows on the host device only; use dedup off on cuda";
  }
  const isHigh = isHighThroughput({ algorithm });
  const most = isHigh ? MOST_HIGH_CUDA_RANKS : MOST_CUDA_RANKS;
  if (device === 'cuda' && worldSize > most) {
    return `dispatch and combine on cuda reach ${most} ranks with algorithm ${algorithm}, this world has ${worldSize}`;
  }
  if (worldSize === 1) return null;
  const crosses = worldSize > ranksPerNode;
  if (device === 'cuda' && isHigh && dedup === 'node' && crosses && ranksPerNode > 1) {
    return 'dedup node with algorithm highThroughput: tokens are forwarded between nodes on the host device only; use dedup on or auto on cuda';
  }
  if (transport === 'ipc') {
    return crosses ? 'transport ipc: ranks of different nodes share no memory; use hybrid' : null;
  }
  if (dedup === 'node') {
    const unequal = unequalNodes(nodesInBlocks(worldSize, ranksPerNode));
    if (unequal !== null) return unequal;
  }
  const needsNetwork = transport === 'network' || crosses;
  return needsNetwork && networkMissing !== ''
    ? `transport ${transport} needs a network: ${networkMissing}`
    : null;
}
