/** Which points cannot reach all peers somewhere, known before anything is opened. */
import type { RunPlace } from '../../runner/job-spec/spec-kind.js';
import type { MoeSpec } from './moe-spec.js';
import { nodesInBlocks, unequalNodes } from './bytes/nodes.js';

export function skippedTransport(
  { transport, dedup }: Pick<MoeSpec, 'transport' | 'dedup'>,
  {
    worldSize,
    ranksPerNode,
    networkMissing,
  }: Pick<RunPlace, 'worldSize' | 'ranksPerNode' | 'networkMissing'>,
): string | null {
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
