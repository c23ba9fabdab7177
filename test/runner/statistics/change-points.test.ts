import t from 'tap';
import { changePoints, energy } from '../../../runner/statistics/change-points.js';
import { Random } from '../../../scripts/bench/random.js';

const LEVEL = 0.01;

function series(seed: number, levels: readonly (readonly [count: number, mean: number])[]): number[] {
  const random = new Random(seed);
  return levels.flatMap(([count, mean]) =>
    Array.from({ length: count }, () => mean + 0.01 * random.normal()),
  );
}

const find = (values: readonly number[], seed = 7): number[] => {
  const random = new Random(seed);
  return changePoints(values, LEVEL, () => random.uniform()).map(({ at }) => at);
};

t.test('a change so close to the end that its half cannot be tested is none', async (t) => {
  const step = (length: number): number[] =>
    Array.from({ length }, (_, at) => (at < 6 ? 0 : 10) + (at % 3) / 10);
  t.same(
    changePoints(step(11), 1, () => 0.5),
    [],
  );
  t.match(
    changePoints(step(12), 1, () => 0.5),
    [{ at: 6 }],
  );
});

t.test('the energy of a split by hand', async (t) => {
  // 2 v 2: 2x2/4 x (2 x 10 - 1 - 1) with distances 9, 10, 10, 11 between.
  t.equal(energy([0, 1, 10, 11], 2), 18);
  t.equal(energy([5, 5, 5, 5], 2), 0);
  t.equal(energy([0, 10, 10], 1).toFixed(9), (40 / 3).toFixed(9), 'one value has no distances');
});

t.test('changes are found at their place, none elsewhere', async (t) => {
  t.same(
    find(
      series(1, [
        [40, 0],
        [40, 0.05],
      ]),
    ),
    [40],
  );
  const two = find(
    series(2, [
      [40, 0],
      [40, 0.06],
      [40, 0.01],
    ]),
  );
  t.equal(two.length, 2);
  t.ok(Math.abs((two[0] ?? 0) - 40) <= 2 && Math.abs((two[1] ?? 0) - 80) <= 2, two.join(' '));
});

t.test('a single outlier is not a change, and the same series gives the same answer', async (t) => {
  const spike = series(3, [[60, 0]]);
  spike[31] = 1;
  t.same(find(spike), []);
  const values = series(4, [
    [30, 0],
    [30, 0.04],
  ]);
  t.same(find(values, 5), find(values, 5));
  t.same(find([1, 2, 3]), [], 'too short to tell');
});

t.test('series without a change: no more than the level says', async (t) => {
  const found = Array.from({ length: 300 }, (_, seed) => find(series(100 + seed, [[60, 0]]))).filter(
    (points) => points.length > 0,
  );
  t.ok(found.length <= 9, `${found.length} of 300 at a level of 1 %`);
});

t.test('values whose energy is no number keep the place that the test found', async (t) => {
  const far = Array.from({ length: 24 }, (_, at) => (at < 3 || at >= 12 ? 4e306 : 0.12));
  const random = new Random(7);
  t.match(
    changePoints(far, 0.05, () => random.uniform()),
    [{ at: 12 }],
  );
});
