/** The unpaired case: the rank-sum test of Mann, Whitney and Wilcoxon by its exact null law, with its shift estimate. */
import { doubledRanks, median, type LocationInterval } from './signed-rank.js';
import { firstOf, itemAt, numberAt } from '../values/items.js';

/** One-sided: small where `right` lies above `left`. Exact for ties too: the law is that of the mean ranks as they are. */
export function rankSumP(left: readonly number[], right: readonly number[]): number {
  const ranks = doubledRanks([...left, ...right]);
  const observed = ranks.slice(left.length).reduce((sum, rank) => sum + rank, 0);
  const law = choiceSums(ranks, right.length);
  let [tail, total] = [0, 0];
  law.forEach((count, sum) => {
    total += count;
    if (sum >= observed) tail += count;
  });
  return tail / total;
}

/** Index -> number of choices of `size` of the weights with that sum. */
function choiceSums(weights: readonly number[], size: number): Float64Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const law = Array.from({ length: size + 1 }, () => new Float64Array(total + 1));
  firstOf(law)[0] = 1;
  for (const weight of weights) {
    for (let chosen = size; chosen >= 1; chosen -= 1) {
      const [into, from] = [itemAt(law, chosen), itemAt(law, chosen - 1)];
      for (let sum = total; sum >= weight; sum -= 1) {
        into[sum] = numberAt(into, sum) + numberAt(from, sum - weight);
      }
    }
  }
  return itemAt(law, size);
}

/** Shift of `right` against `left`: median of all differences, with one-sided exact bounds of `level` each. */
export function shiftInterval(
  left: readonly number[],
  right: readonly number[],
  level = 0.05,
): LocationInterval {
  const differences = right.flatMap((b) => left.map((a) => b - a)).sort((a, b) => a - b);
  const plain = Array.from({ length: left.length + right.length }, (_, at) => at + 1);
  const law = choiceSums(plain, right.length);
  const total = law.reduce((sum, count) => sum + count, 0);
  const least = (right.length * (right.length + 1)) / 2;
  let k = 0;
  for (let tail = numberAt(law, least) / total; tail <= level; tail += numberAt(law, least + k) / total)
    k += 1;
  return {
    estimate: median(differences),
    lower: k === 0 ? -Infinity : numberAt(differences, k - 1),
    upper: k === 0 ? Infinity : numberAt(differences, differences.length - k),
  };
}

/** Share of pairs in which the right value is larger, ties counted half: 0.5 where neither is. */
export function superiority(left: readonly number[], right: readonly number[]): number {
  let wins = 0;
  for (const b of right) for (const a of left) wins += b > a ? 1 : b === a ? 0.5 : 0;
  return wins / (left.length * right.length);
}
