/**
 * Change points of a series: E-divisive (Matteson & James, J. Am. Stat. Assoc. 109 (2014) 334). The split is chosen on every
 * second value and tested by permutation on the others, which had no part in the choice: a test on the data that chose the
 * split would find one in every series.
 */
import { numberAt } from '../values/items.js';

export interface ChangePoint {
  /** First value after the change. */
  readonly at: number;
  readonly p: number;
}

/** Of each half: shorter clusters would make a single outlier a change. */
const MIN_CLUSTER = 3;
const MAX_PERMUTATIONS = 9999;
/** Permutations end early once so many beat the data: the p-value is then far from small. */
const ENOUGH_EXCEEDANCES = 10;

/** In order of place. `random`: uniform in 0..1; a seeded one makes the answer reproducible. */
export function changePoints(values: readonly number[], level: number, random: () => number): ChangePoint[] {
  const found = split(values, 0, level, random).sort((a, b) => a.at - b.at);
  // The first split of several levels may lie close to a change: each finds its place again between its neighbours.
  return found.map(({ at, p }, index) => {
    const from = found[index - 1]?.at ?? 0;
    const to = found[index + 1]?.at ?? values.length;
    // Of values so far apart that their energy is no number, no split is the best.
    return { at: from + (bestSplit(values.slice(from, to)) ?? at - from), p };
  });
}

function split(
  values: readonly number[],
  offset: number,
  level: number,
  random: () => number,
): ChangePoint[] {
  const even = values.filter((_, at) => at % 2 === 0);
  const odd = values.filter((_, at) => at % 2 === 1);
  const best = bestSplit(even);
  // Even value k is at index 2k; the odd values before it are k, of which there may be one less behind it.
  if (best === undefined || odd.length - best < MIN_CLUSTER) return [];
  const p = permutationP(odd, best, random);
  if (p > level) return [];
  const at = 2 * best;
  return [
    { at: offset + at, p },
    ...split(values.slice(0, at), offset, level, random),
    ...split(values.slice(at), offset + at, level, random),
  ];
}

/** m n / (m + n) x (2 mean |x - y| - mean |x - x'| - mean |y - y'|), means over pairs of different values. */
export function energy(values: readonly number[], at: number): number {
  const [left, right] = [values.slice(0, at), values.slice(at)];
  const [m, n] = [left.length, right.length];
  let between = 0;
  for (const x of left) for (const y of right) between += Math.abs(x - y);
  return ((m * n) / (m + n)) * ((2 * between) / (m * n) - meanDistance(left) - meanDistance(right));
}

function meanDistance(values: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1)
    for (let j = 0; j < i; j += 1) sum += Math.abs(numberAt(values, i) - numberAt(values, j));
  return values.length < 2 ? 0 : (2 * sum) / (values.length * (values.length - 1));
}

function bestSplit(values: readonly number[]): number | undefined {
  let best: number | undefined;
  let most = -Infinity;
  for (let at = MIN_CLUSTER; at <= values.length - MIN_CLUSTER; at += 1) {
    const own = energy(values, at);
    if (own > most) [best, most] = [at, own];
  }
  return best;
}

/** Sequential Monte Carlo (Besag & Clifford 1991): exact level whether or not it ends early. */
function permutationP(values: readonly number[], at: number, random: () => number): number {
  const observed = energy(values, at);
  const shuffled = [...values];
  let exceeded = 0;
  for (let count = 1; count <= MAX_PERMUTATIONS; count += 1) {
    for (let i = shuffled.length - 1; i > 0; i -= 1) {
      const j = Math.floor(random() * (i + 1));
      [shuffled[i], shuffled[j]] = [numberAt(shuffled, j), numberAt(shuffled, i)];
    }
    if (energy(shuffled, at) >= observed - 1e-12) exceeded += 1;
    if (exceeded === ENOUGH_EXCEEDANCES) return exceeded / count;
  }
  return (exceeded + 1) / (MAX_PERMUTATIONS + 1);
}
