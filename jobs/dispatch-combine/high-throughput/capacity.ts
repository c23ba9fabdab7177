/** Receive memory of high throughput: rows, and bytes from them. */
import { paddedHidden, type MoeSpec } from '../moe-spec.js';
import type { Nodes } from '../bytes/nodes.js';
import type { PeerPath } from '../bytes/traffic.js';
import type { RoutingCounts } from '../bytes/routing-counts.js';

/** Of one rank: received tokens, and expert rows with padding. */
export interface Capacity {
  readonly tokens: number;
  readonly rows: number;
}

/** Whatever the routing: a token comes to a rank once, to as many of its experts as it has choices. */
export function worstCaseCapacity(spec: MoeSpec, worldSize: number): Capacity {
  const tokens = worldSize * spec.maxDispatchTokensPerRank;
  const local = spec.numExperts / worldSize;
  return { tokens, rows: tokens * Math.min(spec.numTopk, local) + local * (spec.expertAlignment - 1) };
}

/** What comes to one rank by this routing. */
function neededCapacity(spec: MoeSpec, counts: RoutingCounts, rank: number): Capacity {
  const local = spec.numExperts / counts.tokensTo.length;
  const align = (rows: number): number => Math.ceil(rows / spec.expertAlignment) * spec.expertAlignment;
  const experts = counts.rowsOfExpert.slice(rank * local, (rank + 1) * local);
  return {
    tokens: counts.tokensTo.reduce((sum, to) => sum + (to[rank] ?? 0), 0),
    rows: experts.reduce((sum, rows) => sum + align(rows), 0),
  };
}

/** What comes to each rank where all get alike: as much as a rank sends. */
function evenCapacity(spec: MoeSpec, worldSize: number): Capacity {
  const choices = spec.maxDispatchTokensPerRank * spec.numTopk;
  const padding = (spec.numExperts / worldSize) * (spec.expertAlignment - 1);
  return { tokens: Math.min(choices, worldSize * spec.maxDispatchTokensPerRank), rows: choices + padding };
}

/** Of every rank, as the point allocates it; without `counts` (null) exact memory is taken for that of an even routing. */
export function capacities(spec: MoeSpec, worldSize: number, counts: RoutingCounts | null): Capacity[] {
  const worst = worstCaseCapacity(spec, worldSize);
  return Array.from({ length: worldSize }, (_, rank) => {
    if (spec.receiveRows === 'worstCase') return worst;
    if (spec.receiveRows === 'exact') {
      return counts === null ? evenCapacity(spec, worldSize) : neededCapacity(spec, counts, rank);
    }
    return { ...worst, rows: spec.receiveRows };
  });
}

const align128 = (bytes: number): number => Math.ceil(bytes / 128) * 128;

const isFp8 = ({ dispatchDtype }: MoeSpec): boolean => dispatchDtype === 'fp8_e4m3';

/** Bytes of one token as it travels: padded elements, and scales. */
export function tokenRowBytes(spec: MoeSpec): number {
  const hidden = paddedHidden(spec);
  return isFp8(spec) ? hidden + hidden / 32 : 2 * hidden;
}

export const headerBytes = (spec: MoeSpec, worldSize: number): number =>
  4 * (1 + worldSize + spec.numExperts);

/** What a source publishes (native/moe/host/high_throughput/buffer.h). */
function blockBytes(spec: MoeSpec, worldSize: number): number {
  const tokens = spec.maxDispatchTokensPerRank;
  const hidden = paddedHidden(spec);
  const rows = tokens * (isFp8(spec) ? hidden : 2 * hidden);
  const scales = isFp8(spec) ? align128((tokens * hidden) / 32) : 0;
  return (
    128 + align128(headerBytes(spec, worldSize)) + 2 * align128(4 * tokens * spec.numTopk) + rows + scales
  );
}

/** Of every rank: blocks of its own and its partners, partial sums, and sums that partners send back. */
export function symmetricBytesHigh(spec: MoeSpec, all: readonly Capacity[], mostInboxes: number): number {
  const row = 2 * paddedHidden(spec);
  const tokens = Math.max(1, ...all.map((capacity) => capacity.tokens));
  const block = blockBytes(spec, all.length);
  const sums = 128 + spec.maxDispatchTokensPerRank * row;
  return (1 + mostInboxes) * block + align128(8 * all.length) + tokens * row + mostInboxes * sums;
}

/** Received rows, what tells where they belong, experts' outputs and combined tokens. */
export function privateBytesHigh(spec: MoeSpec, worldSize: number, { tokens, rows }: Capacity): number {
  const isExpertMajor = spec.outputLayout === 'expertMajor';
  const row = tokenRowBytes(spec);
  const output = 2 * paddedHidden(spec);
  const local = spec.numExperts / worldSize;
  const index = 4 * (2 * local + worldSize + 2 + rows + tokens * (1 + 3 * spec.numTopk));
  const received = ((isExpertMajor ? rows : tokens) + 1) * row;
  const outputs = isExpertMajor ? rows * output : 0;
  const gathered =
    spec.strategy === 'sparse' ? 0 : worldSize * spec.maxDispatchTokensPerRank * Math.max(row, output);
  return received + outputs + index + gathered + spec.maxDispatchTokensPerRank * output;
}

/** Blocks of others that the rank which has most of them holds. */
export function mostInboxes(nodes: Nodes | null, paths: readonly (readonly PeerPath[])[]): number {
  if (nodes !== null) return nodes.numRails;
  return Math.max(0, ...paths.map((own) => own.filter((path) => path === 'network').length));
}
