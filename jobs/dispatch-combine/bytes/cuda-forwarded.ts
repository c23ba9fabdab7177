/** What a rank of the cuda device issues where tokens cross once per node and are forwarded there (docs/moe.md). */
import { flagWords, planWords, rowBytes, WORD_BYTES } from './cuda.js';
import { paddedHidden, proxiesOf, type MoeSpec } from '../moe-spec.js';
import type { Nodes } from './nodes.js';
import type { Routing } from '../routing/routing.js';
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
  routing: Routing,
  place: Place,
  phase: 'dispatch' | 'combine',
): IssuedBytes {
  return phase === 'dispatch' ? dispatchBytes(spec, routing, place) : combineBytes(spec, routing, place);
}

function dispatchBytes(spec: MoeSpec, routing: Routing, { rank, nodes }: Place): IssuedBytes {
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  const planOf = (source: number): number =>
    planWords(spec, routing.ranks.length, routing.ranks[source]?.numTokens ?? 0);
  const stored = (source: number, target: number): number => {
    const tokens = tokensFor(spec, routing, source, (host) => host === target);
    const words = 1 + planOf(source) + flagWords(spec, tokens);
    return tokens * rowBytes(spec) + WORD_BYTES * words;
  };
  const peers = routing.ranks.map((_, peer) => peer);
  const near = peers.filter((peer) => nodes.isNear(peer, rank));
  const rails = peers.filter((peer) => nodes.isRail(peer, rank));
  bytes.self = tokensFor(spec, routing, rank, (host) => host === rank) * rowBytes(spec);
  for (const target of near.filter((peer) => peer !== rank)) {
    for (const source of [rank, ...rails]) bytes.ipc += stored(source, target);
  }
  for (const rail of rails) {
    const rows = tokensFor(spec, routing, rank, (host) => nodes.isNear(host, rail));
    const words = proxiesOf(spec, 'cuda') + near.length * planOf(rank);
    bytes.network += rows * rowBytes(spec) + WORD_BYTES * words;
  }
  return bytes;
}

function combineBytes(spec: MoeSpec, routing: Routing, { rank, nodes }: Place): IssuedBytes {
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  const row = 2 * paddedHidden(spec);
  for (const owner of routing.ranks.keys()) {
    const rows = tokensFor(spec, routing, owner, (host) => host === rank);
    const flags = WORD_BYTES * flagWords(spec, rows);
    if (owner === rank) bytes.self += rows * row;
    else if (nodes.isNear(owner, rank)) bytes.ipc += rows * row + flags + WORD_BYTES;
    else if (nodes.isRail(owner, rank)) {
      bytes.self += rows * row;
      const sums = tokensFor(spec, routing, owner, (host) => nodes.isNear(host, rank));
      bytes.network += sums * row + WORD_BYTES * proxiesOf(spec, 'cuda');
    } else bytes.ipc += rows * row + flags;
  }
  return bytes;
}

/** Tokens of `source` that chose an expert on a rank that `isTarget` names. */
function tokensFor(
  spec: MoeSpec,
  routing: Routing,
  source: number,
  isTarget: (host: number) => boolean,
): number {
  const worldSize = routing.ranks.length;
  const numLocal = spec.numExperts / worldSize;
  const isWanted = Uint8Array.from({ length: worldSize }, (_, host) => (isTarget(host) ? 1 : 0));
  const { numTokens = 0, topkIdx = new Int32Array() } = routing.ranks[source] ?? {};
  let tokens = 0;
  for (let token = 0; token < numTokens; token++) {
    const end = (token + 1) * spec.numTopk;
    for (let at = token * spec.numTopk; at < end; at++) {
      const id = topkIdx[at] ?? 0;
      if (id < 0 || isWanted[Math.floor(id / numLocal)] !== 1) continue;
      tokens += 1;
      break;
    }
  }
  return tokens;
}
