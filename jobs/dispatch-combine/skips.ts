/** Which points cannot reach all peers somewhere, known before anything is opened. */
import type { RunPlace } from '../../runner/job-spec/spec-kind.js';
import type { MoeSpec } from './moe-spec.js';
import { nodesInBlocks, unequalNodes } from './bytes/nodes.js';

/** What one kernel reaches; the native module refuses more (native/moe/cuda/low_latency/buffer_map.h). */
const MOST_CUDA_RANKS = 64;

export function skippedTransport(
  { transport, dedup }: Pick<MoeSpec, 'transport' | 'dedup'>,
  {
    device,
    worldSize,
    ranksPerNode,
    networkMissing,
  }: Pick<RunPlace, 'device' | 'worldSize' | 'ranksPerNode' | 'networkMissing'>,
): string | null {
  if (device === 'cuda' && worldSize > MOST_CUDA_RANKS) {
    return `dispatch and combine on cuda reach ${MOST_CUDA_RANKS} ranks, this world has ${worldSize}`;
  }
  if (worldSize === 1) return null;
  const crosses = worldSize > ranksPerNode;
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
