/** What a routing moves: messages, rows and bytes of one rank, counted from nothing but the routing. */
import { sum } from '../../../runner/values/sum.js';
import { paddedHidden, sumsWhereRowsLie, usesDedup, type MoeSpec } from '../moe-spec.js';
import type { Nodes } from './nodes.js';
import { tokensBetween, tokensToNode, type RoutingCounts } from './routing-counts.js';

/** How a rank reaches another. */
export type PeerPath = 'self' | 'ipc' | 'network';

export interface IssuedBytes {
  self: number;
  ipc: number;
  network: number;
}

const align16 = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/** Bytes of one dispatched token without header: elements, and one fp32 scale for 128 channels with fp8. */
export function tokenBytes(spec: MoeSpec, hidden: number): number {
  return spec.dispatchDtype === 'bf16' ? 2 * hidden : hidden + 4 * Math.ceil(hidden / 128);
}

/** Bytes of one dispatch message: 16 for the header, with dedup ids and weights, the token, all in 16-byte steps. */
export function messageBytes(spec: MoeSpec): number {
  const header = usesDedup(spec) ? align16(16 + 8 * spec.numTopk) : 16;
  return align16(header + tokenBytes(spec, paddedHidden(spec)));
}

export interface Traffic {
  /** Choices of this rank's tokens that are not -1. */
  readonly selections: number;
  /** Own dispatch messages that go to each rank. Forwarding: one for another node goes to the relay there. */
  readonly messagesTo: readonly number[];
  /** Other ranks' dispatch messages that this rank forwards to each rank of its node. */
  readonly forwardsTo: readonly number[];
  /** Other ranks' messages that came here for this rank's node, no matter which of its ranks they are for. */
  readonly relayed: number;
  /** Combine rows that this rank sends for each rank's tokens. Forwarding: for a rail's, its node's sums. */
  readonly rowsFor: readonly number[];
  /** Choices of each rank's tokens whose expert is here. */
  readonly choicesFor: readonly number[];
  /** Rows of each local expert. */
  readonly expertRows: readonly number[];
}

/** `nodes`: null where nothing is forwarded. */
export function trafficOf(spec: MoeSpec, counts: RoutingCounts, rank: number, nodes: Nodes | null): Traffic {
  // A message for each token of a rank, or without dedup for each of its choices.
  const sent = usesDedup(spec) ? counts.tokensTo : counts.choicesTo;
  const numLocal = spec.numExperts / sent.length;
  const rows = {
    selections: counts.selections[rank] ?? 0,
    choicesFor: counts.choicesTo.map((to) => to[rank] ?? 0),
    expertRows: [...counts.rowsOfExpert.subarray(rank * numLocal, (rank + 1) * numLocal)],
  };
  if (nodes !== null) return { ...rows, ...forwardedTraffic(counts, rank, nodes) };
  return {
    ...rows,
    messagesTo: [...(sent[rank] ?? [])],
    forwardsTo: sent.map(() => 0),
    relayed: 0,
    rowsFor: sent.map((to) => to[rank] ?? 0),
  };
}

/** A token crosses once to each other node, to the rank there that is this one's rail; one sum comes back. */
function forwardedTraffic(
  counts: RoutingCounts,
  rank: number,
  nodes: Nodes,
): Pick<Traffic, 'messagesTo' | 'forwardsTo' | 'relayed' | 'rowsFor'> {
  const peers = [...counts.numTokens.keys()];
  const rails = peers.filter((peer) => nodes.isRail(peer, rank));
  const here = nodes.nodeOf(rank);
  return {
    messagesTo: peers.map((peer) => {
      if (nodes.isNear(peer, rank)) return tokensBetween(counts, rank, peer);
      return nodes.isRail(peer, rank) ? tokensToNode(counts, rank, nodes.nodeOf(peer)) : 0;
    }),
    forwardsTo: peers.map((peer) => {
      const isForwarded = peer !== rank && nodes.isNear(peer, rank);
      return isForwarded ? sum(rails.map((rail) => tokensBetween(counts, rail, peer))) : 0;
    }),
    relayed: sum(rails.map((rail) => tokensToNode(counts, rail, here))),
    rowsFor: peers.map((owner) =>
      nodes.isRail(owner, rank) ? tokensToNode(counts, owner, here) : tokensBetween(counts, owner, rank),
    ),
  };
}

/** Messages, or combine rows, that this rank writes to each rank, whomever they are for. */
export function unitsTo(
  { messagesTo, forwardsTo, rowsFor }: Traffic,
  { rank, nodes }: { readonly rank: number; readonly nodes: Nodes | null },
  phase: 'dispatch' | 'combine',
): number[] {
  if (phase === 'dispatch') return messagesTo.map((own, peer) => own + (forwardsTo[peer] ?? 0));
  const units = rowsFor.map(() => 0);
  rowsFor.forEach((rows, owner) => {
    // The owner itself, or the rank of this node that sums for it.
    const isDirect = nodes === null || nodes.isNear(rank, owner) || nodes.isRail(rank, owner);
    const target = isDirect ? owner : nodes.relayOf(owner, rank);
    units[target] = (units[target] ?? 0) + rows;
  });
  return units;
}

/**
 * Bytes that one call issues on this rank, by path: whole messages, whether written to a peer or read by it, and 8 for each
 * signal to another rank. Combine of rows that lie on their own rank counts partial sums with dedup, and nothing without;
 * where owners read and sum the experts' rows themselves, each of these rows counts.
 * Forwarding, a rank signals those of its node once more for each of its rails: what it forwards, and what it leaves
 * them to sum.
 */
export function issuedBytes(
  spec: MoeSpec,
  traffic: Traffic,
  { paths, nodes }: { readonly paths: readonly PeerPath[]; readonly nodes: Nodes | null },
  phase: 'dispatch' | 'combine',
): IssuedBytes {
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  const each = phase === 'dispatch' ? messageBytes(spec) : 2 * paddedHidden(spec);
  const rank = paths.indexOf('self');
  const units = unitsTo(traffic, { rank, nodes }, phase);
  const signals = usesDedup(spec) ? 1 : spec.numExperts / paths.length;
  const readsRows = phase === 'combine' && sumsWhereRowsLie(spec);
  paths.forEach((path, peer) => {
    const isFree = path === 'self' && phase === 'combine' && !usesDedup(spec);
    const moved = readsRows && path === 'ipc' ? traffic.choicesFor : units;
    if (!isFree) bytes[path] += (moved[peer] ?? 0) * each;
    if (path === 'self') return;
    if (nodes === null) bytes[path] += 8 * signals;
    else if (nodes.isNear(rank, peer)) bytes[path] += 8 * (1 + nodes.numRails);
    else if (nodes.isRail(rank, peer)) bytes[path] += 8;
  });
  return bytes;
}

/** payload: elements and scales of what moved, as asked for; padded: the same with hidden padded. */
export function payloadBytes(
  spec: MoeSpec,
  traffic: Traffic,
  phase: 'dispatch' | 'combine',
): { readonly payload: number; readonly padded: number } {
  if (phase === 'dispatch') {
    const messages = sum(traffic.messagesTo) + sum(traffic.forwardsTo);
    return {
      payload: messages * tokenBytes(spec, spec.hidden),
      padded: messages * tokenBytes(spec, paddedHidden(spec)),
    };
  }
  const rows = sum(traffic.rowsFor);
  return { payload: rows * 2 * spec.hidden, padded: rows * 2 * paddedHidden(spec) };
}

/** DeepEP's bytes: one copy for each selection, fp8 with scales and 16 bytes of header, bf16 and combine without. */
export function logicalBytes(spec: MoeSpec, traffic: Traffic, phase: 'dispatch' | 'combine'): number {
  const { hidden } = spec;
  const isFp8 = phase === 'dispatch' && spec.dispatchDtype === 'fp8_e4m3';
  return traffic.selections * (isFp8 ? hidden + (4 * hidden) / 128 + 16 : 2 * hidden);
}
