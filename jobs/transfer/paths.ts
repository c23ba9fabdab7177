/** How ranks reach each other, and where they cannot. */
import { RunnerError } from '../../runner/errors.js';
import type { RunPlace } from '../../runner/job-spec/spec-kind.js';
import { itemAt } from '../../runner/values/items.js';
import type { TransferSpec } from './spec.generated.js';

/** Which points cannot reach all peers somewhere, known before anything is opened. */
export function skippedPath(
  { transport }: Pick<TransferSpec, 'transport'>,
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
  const needsNetwork = transport === 'network' || crosses;
  return needsNetwork && networkMissing !== ''
    ? `transport ${transport} needs a network: ${networkMissing}`
    : null;
}

/** By rank: 1 for peers that this one reaches over the network. Throws E_UNSUPPORTED_HERE where `ipc` crosses nodes. */
export function networkPeers(
  { transport }: Pick<TransferSpec, 'transport'>,
  rank: number,
  nodeOfRank: readonly number[],
): Uint8Array {
  const own = itemAt(nodeOfRank, rank);
  return Uint8Array.from(nodeOfRank, (node, peer) => {
    if (peer === rank) return 0;
    if (transport === 'network') return 1;
    if (node === own) return 0;
    if (transport === 'hybrid') return 1;
    throw new RunnerError(
      'E_UNSUPPORTED_HERE',
      `transport ipc: rank ${rank} (node ${own}) and rank ${peer} (node ${node}) share no memory. Use hybrid, or ranks of one node.`,
    );
  });
}
