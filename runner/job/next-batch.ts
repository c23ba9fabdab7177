/** Whether a point that goes on until its noise is low goes on, and for how many samples. */
import type { StoppingRule } from '../job-spec/types.js';

/** Why a point took no further samples: the key of `stopping` that ended it. */
export type StoppedBy = 'noise' | 'maxIterations' | 'maxSeconds';

/** What all ranks agree on before they decide. */
export interface SoFar {
  /** Samples on each rank. */
  readonly taken: number;
  /** Infinity: not known. */
  readonly noisePct: number;
  /** Since the first warm-up, on the slowest rank. */
  readonly elapsedSeconds: number;
  /** Of the last batch on the slowest rank, with all that lies between samples. */
  readonly secondsPerIteration: number;
  /** Until the stage's deadline, on the rank that has least. */
  readonly remainingSeconds: number;
}

/** A batch of less than this share of what was taken changes nothing: where time allows no more, the point ends. */
const LEAST_SHARE = 1 / 8;
/** Of what is left until the deadline: a batch may take longer than the previous one. */
const USABLE_SHARE = 1 / 2;

/**
 * As many samples as were taken so far, or as many as the bounds still allow: few agreements, and at most twice the samples
 * that were needed. Pure: ranks that know the same decide the same.
 */
export function nextBatch(
  rule: StoppingRule,
  soFar: SoFar,
): { readonly iterations: number } | { readonly stoppedBy: StoppedBy } {
  const { taken, noisePct, elapsedSeconds, secondsPerIteration, remainingSeconds } = soFar;
  if (noisePct <= rule.maxNoisePct) return { stoppedBy: 'noise' };
  if (taken >= rule.maxIterations) return { stoppedBy: 'maxIterations' };
  const secondsLeft = Math.min(rule.maxSeconds - elapsedSeconds, remainingSeconds * USABLE_SHARE);
  const fitting = Math.floor(secondsLeft / Math.max(secondsPerIteration, Number.MIN_VALUE));
  const wanted = Math.min(taken, rule.maxIterations - taken);
  if (fitting >= wanted) return { iterations: wanted };
  return fitting >= taken * LEAST_SHARE ? { iterations: fitting } : { stoppedBy: 'maxSeconds' };
}
