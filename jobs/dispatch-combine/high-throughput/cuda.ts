/** What high throughput on cuda reads and allocates (native/moe/cuda/high_throughput): its words and memory. */
import { paddedHidden, proxiesOf, type MoeSpec } from '../moe-spec.js';
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

/**
 * Whether rows come into slots of the receiver: copy engines bring all of them, or, where all peers share memory, their
 * sources push what is needed.
 */
function hasSlots(spec: MoeSpec, strategy: Strategy, isStaged: boolean): boolean {
  return strategy === 'allGather' || (spec.outputLayout === 'rankMajor' && !isStaged);
}

const alignTo = (bytes: number, step: number): number => Math.ceil(bytes / step) * step;

const scaleBytes = (spec: MoeSpec): number =>
  spec.dispatchDtype === 'fp8_e4m3' ? alignTo(paddedHidden(spec) / 32, 16) : 0;

/**
 * What a rank puts to one peer over the network: rows, ids and weights for a layout, the word of the layout, and a signal
 * for each slot.
 */
function putBytes(
  spec: MoeSpec,
  counts: RoutingCounts,
  { rank, numTokens }: Standing,
  { peer, isDispatch, isGathered }: { peer: number; isDispatch: boolean; isGathered: boolean },
): number {
  const words = 8 * (1 + proxiesOf(spec, 'cuda'));
  if (!isDispatch) return (counts.tokensTo[peer]?.[rank] ?? 0) * 2 * paddedHidden(spec) + words;
  const own = numTokens[rank] ?? 0;
  const rows = isGathered ? own : (counts.tokensTo[rank]?.[peer] ?? 0);
  const elements = paddedHidden(spec) * (spec.dispatchDtype === 'fp8_e4m3' ? 1 : 2);
  return rows * (elements + scaleBytes(spec)) + (spec.reuseLayout ? 0 : 8 * spec.numTopk * own) + words;
}

/** Bytes of one call: over the network as a rank puts them, else as it reads them, with ids and weights where it finds places. */
export function issuedBytesHighCuda(
  spec: MoeSpec,
  counts: RoutingCounts,
  standing: Standing,
  { operation, strategy }: { readonly operation: 'dispatch' | 'combine'; readonly strategy: Strategy },
): IssuedBytes {
  const { rank, paths, numTokens } = standing;
  const bytes: IssuedBytes = { self: 0, ipc: 0, network: 0 };
  const isDispatch = operation === 'dispatch';
  const row = isDispatch ? tokenRowBytes(spec) : 2 * paddedHidden(spec);
  const isGathered = isDispatch && strategy === 'allGather';
  const isStaged = paths.includes('network');
  paths.forEach((path, peer) => {
    const [source, target] = isDispatch ? [peer, rank] : [rank, peer];
    const rows = counts.tokensTo[source]?.[target] ?? 0;
    if (peer === rank) {
      bytes.self += rows * row;
      return;
    }
    if (path === 'network') {
      bytes.network += putBytes(spec, counts, standing, { peer, isDispatch, isGathered });
      return;
    }
    const moved = isGathered ? (numTokens[peer] ?? 0) : rows;
    const words = isDispatch && hasSlots(spec, strategy, isStaged) ? WORDS_BYTES_SLOTS : WORDS_BYTES;
    const choices = isDispatch && !spec.reuseLayout ? 8 * spec.numTopk * (numTokens[peer] ?? 0) : 0;
    bytes.ipc += moved * row + choices + words;
  });
  return bytes;
}

/**
 * Of every rank: words, ids and weights, tokens (in slots for every rank, or its own), and rows that combine reads.
 * isStaged: some peers are reached over the network.
 */
export function symmetricBytesHighCuda(
  spec: MoeSpec,
  all: readonly Capacity[],
  strategy: Strategy,
  isStaged: boolean,
): number {
  const worldSize = all.length;
  const hidden = paddedHidden(spec);
  const isFp8 = spec.dispatchDtype === 'fp8_e4m3';
  const tokens = spec.maxDispatchTokensPerRank;
  const isFilledByPeers = hasSlots(spec, strategy, isStaged);
  const slots = isFilledByPeers ? worldSize : 1;
  // What owners read of expert outputs is pushed into a slot of each host; rank-major rows are read where they lie.
  const toOwners =
    spec.outputLayout === 'expertMajor' && !isStaged
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
    slots * tokens * scaleBytes(spec),
    toOwners * 2 * hidden,
  ];
  return parts.reduce((sum, bytes) => sum + alignTo(bytes, MAP_STEP), 0);
}

/** Of pinned memory: a mirror for each peer over the network, and a copy of what goes out. */
export const stagedBytesHighCuda = (symmetricBytes: number, networkPeers: number): number =>
  networkPeers === 0 ? 0 : (networkPeers + 1) * symmetricBytes;
