/** What a rank of the cuda device issues where tokens cross once per node and are forwarded there (docs/moe.md). */
import { flagWords, planWords, rowBytes, WORD_BYTES } from './cuda.js';
import { paddedHidden, proxiesOf, type MoeSpec } from '../moe-spec.js';
import type { Nodes } from './nodes.js';
import { tokensBetween, tokensToNode, type RoutingCounts } from './routing-counts.js';
import type { IssuedBytes } from './traffic.js';

interface Place {
  readonly rank: number;
  readonly nodes: Nodes;
}

/**
 * Dispatch: to each rank of the node its rows, plan, flags and the word that begins the call, and the same again for
 * each rail's tokens; to each rail a row for each token with an expert there and the plans of all ranks of its node.
 * Combine: rows and flags to the ranks that sum; a rail gets one row for each of its tokens with an expert here. What a
 * rank leaves for its own sums counts as self.
 */
export function forwardedBytesCuda(
  spec: MoeSpec,
  counts: RoutingCounts,
  place: Place,
  phase: 'dispatch' | 'combine',
): IssuedBytes {
  return phase === 'dispatch' ? dispatchBytes(spec, counts, place) : combineBytes(spec, counts, place);
}

function dispatchBytes(spec: MoeSpec, counts: RoutingCounts, { rank, nodes }: Place): IssuedBytes {
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  const planOf = (source: number): number =>
    planWords(spec, counts.numTokens.length, counts.numTokens[source] ?? 0);
  const stored = (source: number, target: number): number => {
    const tokens = tokensBetween(counts, source, target);
    const words = 1 + planOf(source) + flagWords(spec, tokens);
    return tokens * rowBytes(spec) + WORD_BYTES * words;
  };
  const peers = [...counts.numTokens.keys()];
  const near = peers.filter((peer) => nodes.isNear(peer, rank));
  const rails = peers.filter((peer) => nodes.isRail(peer, rank));
  bytes.self = tokensBetween(counts, rank, rank) * rowBytes(spec);
  for (const target of near.filter((peer) => peer !== rank)) {
    for (const source of [rank, ...rails]) bytes.ipc += stored(source, target);
  }
  for (const rail of rails) {
    const rows = tokensToNode(counts, rank, nodes.nodeOf(rail));
    const words = proxiesOf(spec, 'cuda') + near.length * planOf(rank);
    bytes.network += rows * rowBytes(spec) + WORD_BYTES * words;
  }
  return bytes;
}

function combineBytes(spec: MoeSpec, counts: RoutingCounts, { rank, nodes }: Place): IssuedBytes {
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  const row = 2 * paddedHidden(spec);
  for (const owner of counts.numTokens.keys()) {
    const rows = tokensBetween(counts, owner, rank);
    const flags = WORD_BYTES * flagWords(spec, rows);
    if (owner === rank) bytes.self += rows * row;
    else if (nodes.isNear(owner, rank)) bytes.ipc += rows * row + flags + WORD_BYTES;
    else if (nodes.isRail(owner, rank)) {
      bytes.self += rows * row;
      const sums = tokensToNode(counts, owner, nodes.nodeOf(rank));
      bytes.network += sums * row + WORD_BYTES * proxiesOf(spec, 'cuda');
    } else bytes.ipc += rows * row + flags;
  }
  return bytes;
}
