/**
 * The paired case: Wilcoxon's signed-rank test by its exact null law, and the estimate and bounds of Hodges and Lehmann
 * that go with it. Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 3.1-3.3.
 */
import { itemAt, numberAt } from '../values/items.js';

/** Probability that the sum of the ranks with a positive sign is at least that of `differences`, where signs are fair coins.
 *  One-sided: small where the differences lie above `location`. Ties have mean ranks, and the law is that of these very
 *  ranks, so it is exact with ties too. Differences equal to `location` are left out. 1 where none is left. */
export function signedRankP(differences: readonly number[], location = 0): number {
  const shifted = differences.map((value) => value - location).filter((value) => value !== 0);
  const doubled = doubledRanks(shifted.map(Math.abs));
  const observed = doubled.reduce((sum, rank, at) => (numberAt(shifted, at) > 0 ? sum + rank : sum), 0);
  const law = subsetSums(doubled);
  let p = 0;
  for (let sum = observed; sum < law.length; sum += 1) p += numberAt(law, sum);
  return Math.min(1, p);
}

/** Twice the mean rank of each value, so that ranks of ties stay whole numbers. */
export function doubledRanks(values: readonly number[]): number[] {
  const order = values.map((value, at) => ({ value, at })).sort((a, b) => a.value - b.value);
  const ranks: number[] = Array.from({ length: values.length }, () => 0);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to + 1 < order.length && order[to + 1]?.value === order[from]?.value) to += 1;
    for (let at = from; at <= to; at += 1) ranks[itemAt(order, at).at] = from + to + 2;
    from = to + 1;
  }
  return ranks;
}

/** Index -> probability that a random subset of `weights` has that sum. */
function subsetSums(weights: readonly number[]): Float64Array {
  const law = new Float64Array(weights.reduce((sum, weight) => sum + weight, 0) + 1);
  law[0] = 1;
  let reach = 0;
  for (const weight of weights) {
    reach += weight;
    for (let sum = reach; sum >= 0; sum -= 1) {
      const without = numberAt(law, sum) / 2;
      law[sum] = sum >= weight ? without + numberAt(law, sum - weight) / 2 : without;
    }
  }
  return law;
}

/** Means of all pairs i <= j, ascending: n (n + 1) / 2 of them. */
export function walshAverages(values: readonly number[]): number[] {
  const averages: number[] = [];
  for (let i = 0; i < values.length; i += 1)
    for (let j = i; j < values.length; j += 1) averages.push((numberAt(values, i) + numberAt(values, j)) / 2);
  return averages.sort((a, b) => a - b);
}

/** Share of the differences that are above 0, those equal to 0 counted half; 0.5 where neither side is larger. */
export function positiveShare(differences: readonly number[]): number {
  const wins = differences.reduce((sum, value) => sum + (value > 0 ? 1 : value === 0 ? 0.5 : 0), 0);
  return wins / differences.length;
}

export interface LocationInterval {
  /** Hodges-Lehmann: median of the Walsh averages. */
  readonly estimate: number;
  /** One-sided exact bounds, each of the level asked for; infinite where so few pairs cannot give one. */
  readonly lower: number;
  readonly upper: number;
}

/** `level`: how often each bound may be wrong. The k-th Walsh average, k from the null law of the sum without ties. */
export function locationInterval(differences: readonly number[], level = 0.05): LocationInterval {
  const averages = walshAverages(differences);
  const law = subsetSums(differences.map((_, at) => at + 1));
  let k = 0;
  for (let tail = numberAt(law, 0); tail <= level; tail += numberAt(law, k)) k += 1;
  return {
    estimate: median(averages),
    lower: k === 0 ? -Infinity : numberAt(averages, k - 1),
    upper: k === 0 ? Infinity : numberAt(averages, averages.length - k),
  };
}

/** Of ascending values; NaN of none. */
export function median(ascending: readonly number[]): number {
  const half = ascending.length / 2;
  const [low, high] = [ascending[Math.ceil(half) - 1], ascending[Math.floor(half)]];
  return low === undefined || high === undefined ? NaN : (low + high) / 2;
}
