/** A resolved dispatchCombine job, as its own code reads it. */
import type { MoeSpec } from './spec.generated.js';

export type { MoeSpec } from './spec.generated.js';

export const isHighThroughput = ({ algorithm }: Pick<MoeSpec, 'algorithm'>): boolean =>
  algorithm === 'highThroughput';

export function tokensOfRank(spec: MoeSpec, rank: number): number {
  return typeof spec.numTokens === 'number' ? spec.numTokens : (spec.numTokens[rank] ?? 0);
}

/** Channels are padded to whole blocks of 128, the span of one fp8 scale. */
export function paddedHidden(spec: MoeSpec): number {
  return Math.ceil(spec.hidden / 128) * 128;
}

/**
 * Whether a token crosses once per rank, or once per node. `auto`: once per rank, unless there is nothing to save (one choice per token) or the
 * experts' rows must leave as they are (zeroCopy of expertMajor outputs).
 */
export function usesDedup(spec: MoeSpec): boolean {
  if (isHighThroughput(spec)) return true;
  if (spec.dedup !== 'auto') return spec.dedup !== 'off';
  if (spec.outputLayout === 'rankMajor') return true;
  return spec.numTopk > 1 && !spec.zeroCopy;
}

/**
 * Whether the owner of a token reads the experts' rows on other ranks that share memory and sums them itself (zeroCopy of
 * expertMajor outputs with dedup), instead of getting a sum from each rank. Relays of dedup node sum what they were sent.
 */
export function sumsWhereRowsLie(spec: Pick<MoeSpec, 'zeroCopy' | 'dedup' | 'outputLayout'>): boolean {
  return spec.zeroCopy && spec.dedup === 'on' && spec.outputLayout === 'expertMajor';
}

/** The data's seed in 32 bits: both halves of the job's seed count. */
export function seed32(spec: MoeSpec): number {
  return (spec.seed ^ Math.floor(spec.seed / 2 ** 32)) >>> 0;
}

/**
 * Threads that serve the network. `auto` by measurement (docs/bench/moe-gpu.md): one on the host device, where it shares
 * the rank's core; four on GPUs, whose machines have cores to spare.
 */
export function proxiesOf({ numProxies }: Pick<MoeSpec, 'numProxies'>, device: 'host' | 'cuda'): number {
  if (numProxies !== 'auto') return numProxies;
  return device === 'cuda' ? 4 : 1;
}
