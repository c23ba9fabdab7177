/** What the exchange of the cuda device issues and allocates: its words, rows and buffer, counted from the routing. */
import { resultRows } from './memory.js';
import { paddedHidden, proxiesOf, usesDedup, type MoeSpec } from '../moe-spec.js';
import { tokensBetween, type RoutingCounts } from './routing-counts.js';
import { tokenBytes, type IssuedBytes, type PeerPath } from './traffic.js';

export const WORD_BYTES = 8;
const MAX_SLICE_BYTES = 16_384;
const SCALE_BLOCK = 128;
/** Parts of a block begin at multiples of it. */
const MAP_STEP = 128;
/** Words that begin a call: one for each of up to 32 proxies. */
const BEGUN_BYTES = 256;

const alignTo = (bytes: number, step: number): number => Math.ceil(bytes / step) * step;

/** Parts of a row that are sent and flagged apart: rows of up to 16 KiB are not cut. */
export function slicesOf(spec: MoeSpec): number {
  const blocks = alignTo(paddedHidden(spec) / SCALE_BLOCK, 4);
  return Math.ceil((blocks * SCALE_BLOCK * 2) / MAX_SLICE_BYTES);
}

/** Bytes of one dispatched row: elements, and with fp8 its scales in 16-byte steps. Ids and weights travel in records. */
export const rowBytes = (spec: MoeSpec): number => alignTo(tokenBytes(spec, paddedHidden(spec)), 16);

/** Words of a plan for one rank: a record of 2 numTopk + 1 for each token, counts of the rank's experts, of messages. */
export const planWords = (spec: MoeSpec, worldSize: number, numTokens: number): number =>
  numTokens * (2 * spec.numTopk + 1) + spec.numExperts / worldSize + 1;

export const flagWords = (spec: MoeSpec, tokens: number): number => tokens * slicesOf(spec);

/**
 * Bytes that one call issues on this rank where every rank sends to every other. Dispatch: rows; to other ranks also a
 * plan, the word that begins the call and a flag for each slice of a row. Combine: rows, a flag for each slice, and the
 * word that begins the call. Over the network no flags: there the word that begins the call comes last, once for each
 * proxy, and stands for all.
 */
export function issuedBytesCuda(
  spec: MoeSpec,
  counts: RoutingCounts,
  rank: number,
  paths: readonly PeerPath[],
  phase: 'dispatch' | 'combine',
): IssuedBytes {
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  paths.forEach((path, peer) => {
    const [source, target] = phase === 'dispatch' ? [rank, peer] : [peer, rank];
    const tokens = tokensBetween(counts, source, target);
    const rows = usesDedup(spec) ? tokens : (counts.choicesTo[source]?.[target] ?? 0);
    const isInPlace = path === 'self' && phase === 'combine' && !usesDedup(spec);
    const each = phase === 'dispatch' ? rowBytes(spec) : 2 * paddedHidden(spec);
    bytes[path] += isInPlace ? 0 : rows * each;
    if (path === 'self') return;
    const flags = path === 'ipc' ? flagWords(spec, tokens) : 0;
    const plan = phase === 'dispatch' ? planWords(spec, paths.length, counts.numTokens[rank] ?? 0) : 0;
    bytes[path] += WORD_BYTES * (flags + plan + (path === 'network' ? proxiesOf(spec, 'cuda') : 1));
  });
  return bytes;
}

/**
 * Both halves of what one rank sends to another: the word that begins a call, the words of its plans, flags and rows
 * (native/moe/cuda/low_latency/buffer_map.h). `plans`: 1, or where nodes forward the ranks of a node.
 */
function blockPairBytes(spec: MoeSpec, worldSize: number, plans: number): number {
  const tokens = spec.maxDispatchTokensPerRank;
  const numLocal = spec.numExperts / worldSize;
  // What comes back of a token: never less than what went out, for fp8 is half as wide and choices are of different experts.
  const combined = (usesDedup(spec) ? 1 : numLocal) * 2 * paddedHidden(spec);
  const plan = plans * WORD_BYTES * planWords(spec, worldSize, tokens);
  const flags = WORD_BYTES * tokens * slicesOf(spec);
  const rows = tokens * combined;
  return 2 * (BEGUN_BYTES + [plan, flags, rows].reduce((sum, bytes) => sum + alignTo(bytes, MAP_STEP), 0));
}

/** The symmetric buffer of the cuda device: two halves of a block for each source, rows for zeroCopy, and a barrier. */
export function symmetricBytesCuda(spec: MoeSpec, worldSize: number, plans = 1): number {
  const combined = 2 * paddedHidden(spec);
  const zeroCopy = spec.zeroCopy ? alignTo(resultRows(spec, worldSize) * combined, MAP_STEP) : 0;
  return (
    worldSize * blockPairBytes(spec, worldSize, plans) +
    2 * zeroCopy +
    alignTo(WORD_BYTES * worldSize, MAP_STEP)
  );
}

/**
 * Pinned host memory through which GPUs reach peers over the network: a block in and one out for each peer of the rank
 * that has most of them, on every rank.
 */
export function networkMemoryBytesCuda(
  spec: MoeSpec,
  worldSize: number,
  mostPeers: number,
  plans = 1,
): number {
  return 2 * mostPeers * blockPairBytes(spec, worldSize, plans);
}
