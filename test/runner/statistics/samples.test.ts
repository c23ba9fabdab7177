import t from 'tap';
import { describeSamples, nearestRank, sortSamples } from '../../../runner/statistics/samples.js';

const upTo = (count: number): number[] => Array.from({ length: count }, (_unused, index) => count - index);

t.test('golden values, from samples in any order', async (t) => {
  t.same(describeSamples([4, 2, 9, 7, 5, 4, 5, 4]), {
    count: 8,
    min: 2,
    p50: 4,
    p95: undefined,
    p99: undefined,
    max: 9,
    mean: 5,
    stdev: Math.sqrt(32 / 7),
  });
});

t.test('nearest rank is a sample that was taken', async (t) => {
  const sorted = sortSamples([15, 20, 35, 40, 50]);
  t.equal(nearestRank(sorted, 5), 15);
  t.equal(nearestRank(sorted, 30), 20);
  t.equal(nearestRank(sorted, 40), 20);
  t.equal(nearestRank(sorted, 50), 35);
  t.equal(nearestRank(sorted, 100), 50);
  t.throws(() => nearestRank(sorted, 0), RangeError);
  t.throws(() => nearestRank(sorted, 101), RangeError);
});

t.test('p95 from 20 samples on, p99 from 100', async (t) => {
  t.match(describeSamples(upTo(19)), { p95: undefined, p99: undefined });
  t.match(describeSamples(upTo(20)), { p95: 19, p99: undefined });
  t.match(describeSamples(upTo(99)), { p95: 95, p99: undefined });
  t.match(describeSamples(upTo(100)), { p50: 50, p95: 95, p99: 99 });
});

t.test('one sample has no deviation; close and large samples keep theirs', async (t) => {
  t.match(describeSamples([3]), { min: 3, p50: 3, max: 3, mean: 3, stdev: undefined });
  t.equal(describeSamples([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]).stdev, Math.sqrt(30));
});

t.test('samples are left in their order', async (t) => {
  const samples = Float64Array.of(3, 1, 2);
  describeSamples(samples);
  t.same([...samples], [3, 1, 2]);
});

t.test('no samples and impossible ones are refused', async (t) => {
  t.throws(() => describeSamples([]), /no samples/);
  t.throws(() => describeSamples([1, NaN]), /sample 1 is NaN/);
  t.throws(() => describeSamples([-1]), /sample 0 is -1/);
  t.throws(() => describeSamples([1, 2, Infinity]), /sample 2 is Infinity/);
});
