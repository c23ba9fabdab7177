/**
 * Statistics of one list of samples. Percentiles are nearest-rank: the smallest sample that at least p percent of the
 * samples do not exceed, so every percentile is a sample that was really taken, never an interpolation.
 */
import { numberAt } from '../values/items.js';

declare const sortedBrand: unique symbol;

/** Samples in ascending order, at least one, all finite and not negative. Made only by `sortSamples`. */
export type SortedSamples = Float64Array & { readonly [sortedBrand]: true };

export interface SampleStatistics {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  /** Undefined below 20 samples: it would be the maximum under another name. */
  readonly p95: number | undefined;
  /** Undefined below 100 samples, for the same reason. */
  readonly p99: number | undefined;
  readonly max: number;
  readonly mean: number;
  /** Sample standard deviation (divisor n - 1); undefined for a single sample. */
  readonly stdev: number | undefined;
}

/** Below this many samples the nearest-rank p95 is the maximum itself. */
const MIN_SAMPLES_P95 = 20;
const MIN_SAMPLES_P99 = 100;

/** Copies and sorts. Refuses no samples, and samples that no clock can give. */
export function sortSamples(samples: ArrayLike<number>): SortedSamples {
  if (samples.length === 0) {
    throw new RangeError(
      'statistics of no samples: expected at least one; a row without samples has no times',
    );
  }
  const sorted = Float64Array.from(samples);
  for (const [index, value] of sorted.entries()) {
    if (!(value >= 0 && value < Infinity)) {
      throw new RangeError(`sample ${index} is ${value}: expected a finite number that is not negative`);
    }
  }
  sorted.sort();
  if (!isAscending(sorted)) throw new Error('sorted samples are not in order');
  return sorted;
}

function isAscending(samples: Float64Array): samples is SortedSamples {
  return samples.every((value, at) => at === 0 || value >= numberAt(samples, at - 1));
}

/** Nearest rank: the ceil(percent / 100 * n)-th smallest sample. */
export function nearestRank(sorted: SortedSamples, percent: number): number {
  if (!(percent > 0 && percent <= 100))
    throw new RangeError(`percentile ${percent}: expected more than 0, at most 100`);
  const position = Math.ceil((percent * sorted.length) / 100);
  return numberAt(sorted, position - 1);
}

export function describeSamples(samples: ArrayLike<number>): SampleStatistics {
  const sorted = sortSamples(samples);
  const count = sorted.length;
  const { mean, stdev } = meanAndStdev(sorted);
  return {
    count,
    min: numberAt(sorted, 0),
    p50: nearestRank(sorted, 50),
    p95: count >= MIN_SAMPLES_P95 ? nearestRank(sorted, 95) : undefined,
    p99: count >= MIN_SAMPLES_P99 ? nearestRank(sorted, 99) : undefined,
    max: numberAt(sorted, count - 1),
    mean,
    stdev,
  };
}

/** Welford's recurrence: one pass, no cancellation where the samples are large and close together. */
function meanAndStdev(samples: SortedSamples): { mean: number; stdev: number | undefined } {
  let mean = 0;
  let squares = 0;
  for (const [index, value] of samples.entries()) {
    const delta = value - mean;
    mean += delta / (index + 1);
    squares += delta * (value - mean);
  }
  const stdev = samples.length > 1 ? Math.sqrt(squares / (samples.length - 1)) : undefined;
  return { mean, stdev };
}
