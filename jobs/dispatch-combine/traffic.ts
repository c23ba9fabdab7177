/** What a routing moves: messages, rows and bytes of one rank, counted from the routing alone. */
import { paddedHidden, usesDedup, type MoeSpec } from './moe-spec.js';
import type { Routing } from './routing.js';

/** How a rank reaches another. */
export type PeerPath = 'self' | 'ipc' | 'network';

export interface PathBytes {
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
  /** Dispatch messages to each rank, and combine rows from it. */
  readonly messagesTo: readonly number[];
  /** Dispatch messages from each rank, and combine rows to it. */
  readonly messagesFrom: readonly number[];
  /** Rows of each local expert. */
  readonly expertRows: readonly number[];
}

export function trafficOf(spec: MoeSpec, routing: Routing, rank: number): Traffic {
  const worldSize = routing.ranks.length;
  const numLocal = spec.numExperts / worldSize;
  const messagesTo = Array.from({ length: worldSize }, () => 0);
  const messagesFrom = Array.from({ length: worldSize }, () => 0);
  const expertRows = Array.from({ length: numLocal }, () => 0);
  let selections = 0;
  routing.ranks.forEach(({ numTokens, topkIdx }, source) => {
    for (let token = 0; token < numTokens; token++) {
      const chosen = topkIdx
        .subarray(token * spec.numTopk, (token + 1) * spec.numTopk)
        .filter((id) => id >= 0);
      const hosts = Array.from(chosen, (id) => Math.floor(id / numLocal));
      const targets = usesDedup(spec) ? [...new Set(hosts)] : hosts;
      for (const target of targets) {
        if (source === rank) messagesTo[target] = (messagesTo[target] ?? 0) + 1;
        if (target === rank) messagesFrom[source] = (messagesFrom[source] ?? 0) + 1;
      }
      for (const id of chosen) {
        if (source === rank) selections += 1;
        const local = id - rank * numLocal;
        if (local >= 0 && local < numLocal) expertRows[local] = (expertRows[local] ?? 0) + 1;
      }
    }
  });
  return { selections, messagesTo, messagesFrom, expertRows };
}

/**
 * Bytes that one call issues on this rank, by path: whole messages, and 8 for each signal to another rank. Combine of
 * rows that lie on their own rank copies them with dedup (partial sums) and reads them in place without.
 */
export function issuedBytes(
  spec: MoeSpec,
  traffic: Traffic,
  paths: readonly PeerPath[],
  phase: 'dispatch' | 'combine',
): PathBytes {
  const bytes: PathBytes = { self: 0, ipc: 0, network: 0 };
  const each = phase === 'dispatch' ? messageBytes(spec) : 2 * paddedHidden(spec);
  const counts = phase === 'dispatch' ? traffic.messagesTo : traffic.messagesFrom;
  const signals = usesDedup(spec) ? 1 : spec.numExperts / paths.length;
  paths.forEach((path, peer) => {
    const isFree = path === 'self' && phase === 'combine' && !usesDedup(spec);
    if (!isFree) bytes[path] += (counts[peer] ?? 0) * each;
    if (path !== 'self') bytes[path] += 8 * signals;
  });
  return bytes;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** payload: elements and scales of what moved, as asked for; padded: the same with hidden padded. */
export function payloadBytes(
  spec: MoeSpec,
  traffic: Traffic,
  phase: 'dispatch' | 'combine',
): { readonly payload: number; readonly padded: number } {
  if (phase === 'dispatch') {
    const messages = sum(traffic.messagesTo);
    return {
      payload: messages * tokenBytes(spec, spec.hidden),
      padded: messages * tokenBytes(spec, paddedHidden(spec)),
    };
  }
  const rows = sum(traffic.messagesFrom);
  return { payload: rows * 2 * spec.hidden, padded: rows * 2 * paddedHidden(spec) };
}

/** DeepEP's bytes: one copy for each selection, fp8 with scales and 16 bytes of header, bf16 and combine without. */
export function logicalBytes(spec: MoeSpec, traffic: Traffic, phase: 'dispatch' | 'combine'): number {
  const { hidden } = spec;
  const isFp8 = phase === 'dispatch' && spec.dispatchDtype === 'fp8_e4m3';
  return traffic.selections * (isFp8 ? hidden + (4 * hidden) / 128 + 16 : 2 * hidden);
}
