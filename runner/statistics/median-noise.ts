/**
 * How far the median of a series of samples is still uncertain, as a share of it: what `stopping` goes on until. The spread
 * of the samples would be another thing: it does not shrink, however many are taken.
 */
import { numberAt } from '../values/items.js';
import { nearestRank, sortSamples } from './samples.js';

/** Fewer samples say nothing of their own noise: two in a run of them, below. */
export const LEAST_SAMPLES = 16;
const RUNS = 8;
/** 97.5 % points of the normal law, and of Student's with RUNS - 1 degrees of freedom. */
const NORMAL_QUANTILE = 1.96;
const STUDENT_QUANTILE = 2.365;

/**
 * Percent of the median; undefined below LEAST_SAMPLES. The larger of the half widths of two 95 % confidence intervals:
 *
 * - by order statistics, without assuming a distribution, for samples that are independent of each other (Hoefler and Belli,
 *   Scientific Benchmarking of Parallel Computing Systems, SC '15, 10.1145/2807591.2807644, section 3.1.3);
 * - by the medians of 8 consecutive runs of equal length, for samples that are not: neighbours that are alike, drift, steps
 *   (the method of batch means: Law, Simulation Modeling and Analysis, chapter 9).
 */
export function medianNoisePct(samples: ArrayLike<number>): number | undefined {
  if (samples.length < LEAST_SAMPLES) return undefined;
  const sorted = sortSamples(samples);
  const median = nearestRank(sorted, 50);
  const half = Math.max(halfWidthByOrder(sorted), halfWidthByRuns(samples));
  return half === 0 ? 0 : (100 * half) / median;
}

function halfWidthByOrder(sorted: ArrayLike<number>): number {
  const count = sorted.length;
  const reach = NORMAL_QUANTILE * Math.sqrt(count);
  const low = Math.max(1, Math.floor((count - reach) / 2));
  const high = Math.min(count, Math.ceil(1 + (count + reach) / 2));
  return (numberAt(sorted, high - 1) - numberAt(sorted, low - 1)) / 2;
}

/** The first samples, where they do not divide evenly, are in no run. */
function halfWidthByRuns(samples: ArrayLike<number>): number {
  const length = Math.floor(samples.length / RUNS);
  const all = Array.from(samples).slice(samples.length - length * RUNS);
  const medians = Array.from({ length: RUNS }, (_, run) =>
    nearestRank(sortSamples(all.slice(run * length, (run + 1) * length)), 50),
  );
  const mean = medians.reduce((sum, median) => sum + median, 0) / RUNS;
  const squares = medians.reduce((sum, median) => sum + (median - mean) ** 2, 0);
  return STUDENT_QUANTILE * Math.sqrt(squares / (RUNS - 1) / RUNS);
}
