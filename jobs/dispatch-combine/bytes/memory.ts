/** Bytes that a point needs on each rank, before anything is allocated. */
import { paddedHidden, usesDedup, type MoeSpec } from '../moe-spec.js';
import { messageBytes } from './traffic.js';

const align128 = (bytes: number): number => Math.ceil(bytes / 128) * 128;

/** The symmetric buffer: two halves of signals, staged messages and receive slots. */
export function symmetricBytes(spec: MoeSpec, worldSize: number): number {
  const slots = (usesDedup(spec) ? worldSize : spec.numExperts) * spec.maxDispatchTokensPerRank;
  const row = 2 * paddedHidden(spec);
  const staged = spec.zeroCopy ? resultRows(spec, worldSize) * row : 0;
  const send = Math.max(spec.maxDispatchTokensPerRank * messageBytes(spec), staged);
  const receive = slots * Math.max(messageBytes(spec), row);
  return 2 * (align128(8 * spec.numExperts) + align128(send) + align128(receive));
}

/** Rows of a dispatch result: enough for every token of every rank, in each group. */
export function resultRows(spec: MoeSpec, worldSize: number): number {
  const groups = spec.outputLayout === 'expertMajor' ? spec.numExperts / worldSize : 1;
  return groups * worldSize * spec.maxDispatchTokensPerRank;
}

/**
 * What MSCCL++'s low-latency buffer takes for the same shape, by its own formula: 2 x (send + receive + signals), both
 * sized for dispatch and combine alike, and 1 to 128 bytes more.
 */
export function mscclppHintBytes({ maxDispatchTokensPerRank: tokens, hidden, numExperts }: MoeSpec): number {
  const dispatch = 16 + Math.max(2 * hidden, hidden + 4 * Math.floor(hidden / 128));
  const combine = 2 * hidden;
  const slots = numExperts * tokens;
  const send = Math.max(tokens * dispatch, slots * combine);
  const receive = slots * Math.max(dispatch, combine);
  return Math.floor((2 * (send + receive + 8 * numExperts) + 128) / 128) * 128;
}

/** What GPUs write through their L2 before a cold call (native/moe/cuda/low_latency/bench.cc). */
const FLUSH_BYTES = 256 * 2 ** 20;

/** Dispatch result, expert outputs, tokens and combined tokens: what a point needs in addition to its symmetric buffer. */
export function privateBytes(spec: MoeSpec, worldSize: number, device: 'host' | 'cuda'): number {
  const rows = resultRows(spec, worldSize);
  const hidden = paddedHidden(spec);
  const isFp8 = spec.dispatchDtype === 'fp8_e4m3';
  const result = rows * ((isFp8 ? hidden + hidden / 32 : 2 * hidden) + 4);
  const outputs = spec.zeroCopy ? 0 : rows * 2 * hidden;
  const isCuda = device === 'cuda';
  const hasMessages = usesDedup(spec) || isCuda;
  const messages = hasMessages ? worldSize * spec.maxDispatchTokensPerRank * (4 + 8 * spec.numTopk) : 0;
  // What a relay keeps of the messages that it forwards, until it has summed for them.
  const relayed =
    spec.dedup === 'node' ? worldSize * spec.maxDispatchTokensPerRank * (4 + 4 * spec.numTopk) : 0;
  const tokens = 2 * spec.maxDispatchTokensPerRank * 2 * hidden;
  return result + outputs + messages + relayed + tokens + (isCuda ? FLUSH_BYTES : 0);
}
