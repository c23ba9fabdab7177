/** What one call of high throughput moves on one rank, counted from nothing but the routing. */
import { sum } from '../../../runner/values/sum.js';
import { paddedHidden, type MoeSpec } from '../moe-spec.js';
import { tokenBytes, type IssuedBytes } from '../bytes/traffic.js';
import { headerBytes, tokenRowBytes } from './capacity.js';
import { issuedBytesHighCuda } from './cuda.js';
import type { Standing, Strategy } from './standing.js';
import { tokensBetween, tokensToNode, type RoutingCounts } from '../bytes/routing-counts.js';

type Operation = 'dispatch' | 'combine';

/** Ranks that this one exchanges whole blocks with over the network. */
function partnersOf({ rank, paths, nodes }: Standing): number[] {
  return paths.flatMap((path, peer) => {
    const isPartner = nodes === null ? path === 'network' : nodes.isRail(rank, peer);
    return isPartner ? [peer] : [];
  });
}

/** In whose memory the rank finds what `source` sends: the source's, its own, or that of the relay on its node. */
function holderOf({ rank, paths, nodes }: Standing, source: number): number {
  if (paths[source] !== 'network') return source;
  return nodes === null ? rank : nodes.relayOf(source, rank);
}

/** Tokens of `source` that cross the network for `partner` and the ranks that it serves. */
function tokensToPartner(at: Standing, counts: RoutingCounts, source: number, partner: number): number {
  return at.nodes === null
    ? tokensBetween(counts, source, partner)
    : tokensToNode(counts, source, at.nodes.nodeOf(partner));
}

const servedHere = ({ rank, nodes, paths }: Standing): number[] =>
  nodes === null ? [rank] : paths.flatMap((_, peer) => (nodes.isNear(rank, peer) ? [peer] : []));

/** As native/moe/host/high_throughput counts them: rows, ids, weights and counts where they are read or put, words. */
export function issuedBytesHigh(
  spec: MoeSpec,
  counts: RoutingCounts,
  at: Standing,
  {
    operation,
    strategy,
    isAgain,
  }: { readonly operation: Operation; readonly strategy: Strategy; readonly isAgain: boolean },
): IssuedBytes {
  if (at.isCuda) return issuedBytesHighCuda(spec, counts, at, { operation, strategy });
  if (operation === 'combine') return combineBytes(spec, counts, at);
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  const row = tokenRowBytes(spec);
  const told = (source: number): number =>
    isAgain ? 8 : headerBytes(spec, at.paths.length) + 8 * spec.numTopk * (at.numTokens[source] ?? 0) + 16;
  at.paths.forEach((_, source) => {
    const holder = holderOf(at, source);
    const received = counts.tokensTo[source]?.[at.rank] ?? 0;
    if (holder === at.rank) {
      bytes.self += received * row;
      return;
    }
    const moved = strategy === 'allGather' ? (at.numTokens[source] ?? 0) : received;
    bytes.ipc += moved * row + told(source);
  });
  for (const partner of partnersOf(at)) {
    const all = at.numTokens[at.rank] ?? 0;
    const rows = strategy === 'allGather' ? all : tokensToPartner(at, counts, at.rank, partner);
    bytes.network += rows * row + told(at.rank);
  }
  return bytes;
}

function combineBytes(spec: MoeSpec, counts: RoutingCounts, at: Standing): IssuedBytes {
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  const row = 2 * paddedHidden(spec);
  const read = (host: number, owner: number): void => {
    const partials = (counts.tokensTo[owner]?.[host] ?? 0) * row;
    if (host === at.rank) bytes.self += partials;
    else bytes.ipc += partials + 8;
  };
  at.paths.forEach((path, host) => {
    if (path !== 'network') read(host, at.rank);
  });
  for (const partner of partnersOf(at)) {
    for (const host of servedHere(at)) read(host, partner);
    bytes.network += tokensToPartner(at, counts, partner, at.rank) * row + 8;
  }
  return bytes;
}

/** Units to each rank, in proportion to which a probe deals out the bytes of each path. */
export function unitsToHigh(counts: RoutingCounts, at: Standing, operation: Operation): number[] {
  return at.paths.map((path, peer) => {
    const [from, to] = operation === 'dispatch' ? [at.rank, peer] : [peer, at.rank];
    if (path !== 'network') return counts.tokensTo[from]?.[to] ?? 0;
    return partnersOf(at).includes(peer) ? tokensToPartner(at, counts, from, to) : 0;
  });
}

/** Tokens that other ranks of this node find here, of ranks on other nodes: one for each token and rank. */
export function forwardedTokens({ rank, nodes, paths }: Standing, counts: RoutingCounts): number {
  if (nodes === null) return 0;
  const near = paths.flatMap((_, peer) => (peer !== rank && nodes.isNear(rank, peer) ? [peer] : []));
  const rails = paths.flatMap((_, peer) => (nodes.isRail(rank, peer) ? [peer] : []));
  return sum(rails.flatMap((source) => near.map((target) => counts.tokensTo[source]?.[target] ?? 0)));
}

/** Tokens that come to this rank in dispatch, or rows that come back to it in combine: all, and from other ranks. */
function rowsMoved(
  counts: RoutingCounts,
  rank: number,
  operation: Operation,
): { readonly all: number; readonly remote: number } {
  const rows =
    operation === 'dispatch' ? counts.tokensTo.map((to) => to[rank] ?? 0) : (counts.tokensTo[rank] ?? []);
  return { all: sum(rows), remote: sum(rows) - (rows[rank] ?? 0) };
}

/** Elements and scales of what moved, as asked for and padded; DeepEP's formula counts the rows that a rank received. */
export function payloadHigh(
  spec: MoeSpec,
  counts: RoutingCounts,
  rank: number,
  operation: Operation,
): { readonly payload: number; readonly padded: number; readonly logical: number; readonly wire: number } {
  const { all, remote } = rowsMoved(counts, rank, operation);
  const bytes = (hidden: number): number =>
    operation === 'dispatch' ? tokenBytes(spec, hidden) : 2 * hidden;
  const isFp8 = operation === 'dispatch' && spec.dispatchDtype === 'fp8_e4m3';
  return {
    payload: all * bytes(spec.hidden),
    padded: all * bytes(paddedHidden(spec)),
    logical: all * 2 * spec.hidden * (isFp8 ? (1 + 4 / 128) / 2 : 1),
    wire: remote * bytes(spec.hidden),
  };
}
