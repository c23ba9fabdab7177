/** What high throughput on cuda reads and allocates (native/moe/cuda/high_throughput): its words and memory. */
import { paddedHidden, type MoeSpec } from '../moe-spec.js';
import type { IssuedBytes } from '../bytes/traffic.js';
import { tokenRowBytes, type Capacity } from './capacity.js';
import type { RoutingCounts } from '../bytes/routing-counts.js';
import type { Standing, Strategy } from './standing.js';

/** Words from every other rank: that it is ready, and with which layout; where rows come into slots, that they are here. */
const WORDS_BYTES = 16;
const WORDS_BYTES_SLOTS = 24;
const MAP_STEP = 256;
const MOST_BLOCKS = 256;
/** Tokens whose ids one warp takes at a time. */
const GROUP_TOKENS = 32;

/** Whether rows come into slots of the receiver: copy engines bring all of them, or their sources push what is needed. */
function hasSlots(spec: MoeSpec, strategy: Strategy): boolean {
  return strategy === 'allGather' || spec.outputLayout === 'rankMajor';
}

const alignTo = (bytes: number, step: number): number => Math.ceil(bytes / step) * step;

/** Bytes of one call, as the rank that reads them counts: rows, and in dispatch ids and weights where it finds places. */
export function issuedBytesHighCuda(
  spec: MoeSpec,
  counts: RoutingCounts,
  { rank, paths, numTokens }: Standing,
  { operation, strategy }: { readonly operation: 'dispatch' | 'combine'; readonly strategy: Strategy },
): IssuedBytes {
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  const isDispatch = operation === 'dispatch';
  const row = isDispatch ? tokenRowBytes(spec) : 2 * paddedHidden(spec);
  paths.forEach((_, peer) => {
    const [source, target] = isDispatch ? [peer, rank] : [rank, peer];
    const rows = counts.tokensTo[source]?.[target] ?? 0;
    if (peer === rank) {
      bytes.self += rows * row;
      return;
    }
    const isGathered = isDispatch && strategy === 'allGather';
    const moved = isGathered ? (numTokens[peer] ?? 0) : rows;
    const words = isDispatch && hasSlots(spec, strategy) ? WORDS_BYTES_SLOTS : WORDS_BYTES;
    const choices = isDispatch && !spec.reuseLayout ? 8 * spec.numTopk * (numTokens[peer] ?? 0) : 0;
    bytes.ipc += moved * row + choices + words;
  });
  return bytes;
}

/** Of every rank: words, ids and weights, tokens (in slots for every rank, or its own), and rows that combine reads. */
export function symmetricBytesHighCuda(spec: MoeSpec, all: readonly Capacity[], strategy: Strategy): number {
  const worldSize = all.length;
  const hidden = paddedHidden(spec);
  const isFp8 = spec.dispatchDtype === 'fp8_e4m3';
  const tokens = spec.maxDispatchTokensPerRank;
  const isFilledByPeers = hasSlots(spec, strategy);
  const slots = isFilledByPeers ? worldSize : 1;
  // What owners read of expert outputs is pushed into a slot of each host; rank-major rows are read where they lie.
  const toOwners =
    spec.outputLayout === 'expertMajor'
      ? worldSize * tokens
      : Math.max(0, ...all.map((capacity) => capacity.tokens));
  const choices = 4 * alignTo(tokens, GROUP_TOKENS) * spec.numTopk;
  const words = 8 * worldSize;
  const parts = [
    words, // ready
    words, // layouts
    words * MOST_BLOCKS, // partial sums
    words, // gathered
    words * MOST_BLOCKS, // pushed
    words, // barrier
    choices, // ids
    choices, // weights
    (slots * tokens + (isFilledByPeers ? 1 : 0)) * (isFp8 ? hidden : 2 * hidden), // with the row behind all slots
    isFp8 ? slots * tokens * alignTo(hidden / 32, 16) : 0,
    toOwners * 2 * hidden,
  ];
  return parts.reduce((sum, bytes) => sum + alignTo(bytes, MAP_STEP), 0);
}
