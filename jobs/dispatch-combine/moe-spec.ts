/** A resolved dispatchCombine job, as its own code reads it. */
import type { CommonJobKeys, Point } from '../../runner/job-spec/types.js';

export type DispatchDtype = 'bf16' | 'fp8_e4m3';
export type OutputLayout = 'expertMajor' | 'rankMajor';
export type Transport = 'hybrid' | 'network' | 'ipc';

export type RoutingSpec = { readonly maskedFraction: number } & (
  | { readonly kind: 'uniform' }
  | { readonly kind: 'zipf'; readonly exponent: number }
  | { readonly kind: 'powerLaw'; readonly alpha: number }
  | { readonly kind: 'kHot'; readonly hotExperts: number; readonly hotFraction: number }
  | { readonly kind: 'groupLimited'; readonly numGroups: number; readonly topkGroups: number }
  | { readonly kind: 'file'; readonly path: string; readonly layer: number; readonly sha256: string }
);

export interface MoeSpec extends CommonJobKeys {
  readonly hidden: number;
  readonly numTopk: number;
  readonly numExperts: number;
  /** One for all ranks, or one a rank. */
  readonly numTokens: number | readonly number[];
  readonly maxDispatchTokensPerRank: number;
  readonly dispatchDtype: DispatchDtype;
  readonly roundScale: boolean;
  readonly outputLayout: OutputLayout;
  readonly phases: 'fused' | 'split';
  readonly zeroCopy: boolean;
  readonly dedup: 'auto' | 'on' | 'off' | 'node';
  readonly transport: Transport;
  readonly numProxies: number | 'auto';
  readonly routing: RoutingSpec;
}

export function moeSpecOf(point: Point): MoeSpec {
  return point.spec as unknown as MoeSpec;
}

export function tokensOfRank(spec: MoeSpec, rank: number): number {
  return typeof spec.numTokens === 'number' ? spec.numTokens : (spec.numTokens[rank] ?? 0);
}

/** Channels are padded to whole blocks of 128, the span of one fp8 scale. */
export function paddedHidden(spec: MoeSpec): number {
  return Math.ceil(spec.hidden / 128) * 128;
}

/**
 * Whether a token crosses once a rank, or once a node. `auto`: once a rank, unless there is nothing to save (one choice a token) or the
 * experts' rows must leave as they are (zeroCopy of expertMajor outputs).
 */
export function usesDedup(spec: MoeSpec): boolean {
  if (spec.dedup !== 'auto') return spec.dedup !== 'off';
  if (spec.outputLayout === 'rankMajor') return true;
  return spec.numTopk > 1 && !spec.zeroCopy;
}

/** The data's seed in 32 bits: both halves of the job's seed count. */
export function seed32(spec: MoeSpec): number {
  return (spec.seed ^ Math.floor(spec.seed / 2 ** 32)) >>> 0;
}

/**
 * Threads that serve the network. `auto` by measurement (docs/performance.md): one on the host device, where it shares
 * the rank's core; four on GPUs, whose machines have cores to spare.
 */
export function proxiesOf({ numProxies }: Pick<MoeSpec, 'numProxies'>, device: 'host' | 'cuda'): number {
  if (numProxies !== 'auto') return numProxies;
  return device === 'cuda' ? 4 : 1;
}
