import t from 'tap';
import { adjustedP } from '../../../runner/statistics/false-discovery.js';
import { rankSumP, shiftInterval, superiority } from '../../../runner/statistics/rank-sum.js';
import {
  locationInterval,
  median,
  signedRankP,
  walshAverages,
} from '../../../runner/statistics/signed-rank.js';

/** All 2^n signs of the ranks as they stand: the definition, for small n. */
function signedRankByHand(differences: readonly number[]): number {
  const size = differences.map(Math.abs);
  const rank = size.map((own) => {
    const below = size.filter((other) => other < own).length;
    return below + (size.filter((other) => other === own).length + 1) / 2;
  });
  const sum = (positive: (at: number) => boolean): number =>
    rank.reduce((total, value, at) => (positive(at) ? total + value : total), 0);
  const observed = sum((at) => (differences[at] as number) > 0);
  let hits = 0;
  for (let signs = 0; signs < 2 ** size.length; signs += 1) {
    if (sum((at) => ((signs >> at) & 1) === 1) >= observed) hits += 1;
  }
  return hits / 2 ** size.length;
}

/** n differences of which the sum of the ranks with a positive sign is `sum`. */
function withSum(n: number, sum: number): number[] {
  let left = sum;
  const signs: number[] = [];
  for (let rank = n; rank >= 1; rank -= 1) {
    const positive = rank <= left;
    if (positive) left -= rank;
    signs.unshift(positive ? rank : -rank);
  }
  return signs;
}

t.test('signed rank: the upper tail of published tables', async (t) => {
  // Hollander & Wolfe, table A.4: P(T+ >= x).
  const table: [n: number, x: number, p: number][] = [
    [5, 15, 0.031],
    [5, 14, 0.063],
    [6, 21, 0.016],
    [6, 19, 0.047],
    [8, 31, 0.039],
    [10, 47, 0.024],
    [10, 44, 0.053],
    [12, 61, 0.046],
    [15, 90, 0.047],
  ];
  for (const [n, x, p] of table) t.equal(Number(signedRankP(withSum(n, x)).toFixed(3)), p, `n ${n}, x ${x}`);
});

t.test("signed rank: R's wilcox.test on the depression data of Hollander & Wolfe", async (t) => {
  // ?wilcox.test: V = 40, p-value = 0.01953, alternative = "greater".
  const x = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3];
  const y = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
  const differences = x.map((value, at) => value - (y[at] as number));
  t.equal(signedRankP(differences).toFixed(5), '0.01953');
  t.equal(
    locationInterval(differences).estimate.toFixed(2),
    '0.46',
    'Hodges-Lehmann, as printed there: 0.46',
  );
});

t.test('signed rank with ties and zeros is exact', async (t) => {
  const cases = [
    [1, 1, -1, 2, 3],
    [2, 2, 2, 2],
    [-1, 1],
    [5, -3, 3, 3, -8, 1, 1, 9],
    [0.5, 0.5, -2, 4, 4, -4],
  ];
  for (const differences of cases) {
    t.equal(
      signedRankP(differences).toFixed(12),
      signedRankByHand(differences).toFixed(12),
      differences.join(' '),
    );
  }
  t.equal(signedRankP([0, 0, 1, 2]), signedRankP([1, 2]));
  t.equal(signedRankP([]), 1);
  t.equal(signedRankP([3, 4, 5], 10), 1, 'all below the location');
});

t.test('bounds: the k-th Walsh average, k from the null law', async (t) => {
  const six = [1, 2, 3, 4, 5, 6];
  t.same(walshAverages([1, 3]), [1, 2, 3]);
  // psignrank(2, 6) = 3/64 = .047 and psignrank(3, 6) = 5/64: k = 3.
  t.same(locationInterval(six), { estimate: 3.5, lower: 2, upper: 5 });
  t.same(
    locationInterval([1, 2, 3, 4]),
    { estimate: 2.5, lower: -Infinity, upper: Infinity },
    '4 pairs: 1/16 > .05',
  );
  t.same(locationInterval([1, 2, 3, 4, 5]), { estimate: 3, lower: 1, upper: 5 }, '5 pairs: 1/32');
  t.equal(median([1, 2, 9]), 2);
  t.ok(Number.isNaN(median([])), 'of none');
});

t.test('rank sum: tables, R, and ties against the definition', async (t) => {
  // Least one-sided p of m v n is 1 / C(m+n, n).
  t.equal(rankSumP([1, 2, 3], [4, 5, 6]), 1 / 20);
  t.equal(rankSumP([1, 2, 3, 4], [5, 6, 7, 8]), 1 / 70);
  // ?wilcox.test, permeability of the placenta: W = 35, p-value = 0.1272 (alternative "greater" of x over y).
  const x = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
  const y = [1.15, 0.88, 0.9, 0.74, 1.21];
  t.equal(rankSumP(y, x).toFixed(4), '0.1272');
  t.equal(shiftInterval(y, x).estimate.toFixed(3), '0.305');
  t.equal(rankSumP([1, 1], [1, 1]), 1);
  t.equal(superiority([1, 2], [2, 3]), 0.875);
  t.same(shiftInterval([0, 0, 0], [1, 1, 1]).lower, 1, '3 v 3: 1/20');
  t.equal(shiftInterval([0, 0], [1, 1]).lower, -Infinity, '2 v 2: 1/6 > .05');
});

t.test("false discovery: R's p.adjust(p, 'BH')", async (t) => {
  const adjusted = adjustedP([0.01, 0.02, 0.03, 0.04, 0.05]);
  t.same(
    adjusted.map((p) => Number(p.toFixed(6))),
    [0.05, 0.05, 0.05, 0.05, 0.05],
  );
  t.same(
    adjustedP([0.04, 0.001, 0.5]).map((p) => Number(p.toFixed(6))),
    [0.06, 0.003, 0.5],
  );
  t.same(adjustedP([]), []);
});
