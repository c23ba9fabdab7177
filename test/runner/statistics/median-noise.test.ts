/** The noise of the median, on series whose truth is known. */
import t from 'tap';
import { LEAST_SAMPLES, medianNoisePct } from '../../../runner/statistics/median-noise.js';
import { Random } from '../../../scripts/bench/random.js';

const series = (count: number, at: (index: number) => number): number[] =>
  Array.from({ length: count }, (_, index) => at(index));

const normal = (seed: number, count: number, spread: number): number[] => {
  const random = new Random(seed);
  return series(count, () => 100 * (1 + spread * random.normal()));
};

t.test('by hand', async (t) => {
  // 1.96 x 4 places around the middle of 16: from the 4th to the 13th. Their medians, 1, 3 .. 15, give less: 4.1.
  t.equal(medianNoisePct(series(16, (index) => index + 1)), (100 * (13 - 4)) / 2 / 8);
  // Order statistics see nothing of two samples of 16. Of the medians of runs one is 102: their variance is 0.5.
  const late = series(16, (index) => (index < 14 ? 100 : 102));
  t.ok(Math.abs((medianNoisePct(late) ?? NaN) - 2.365 * Math.sqrt(0.5 / 8)) < 1e-12);
  // 17 samples: the first is in no run, and counts among the others.
  t.equal(medianNoisePct([102, ...series(16, () => 100)]), 0);
  t.equal(medianNoisePct(series(LEAST_SAMPLES, () => 5)), 0);
  t.equal(medianNoisePct(series(LEAST_SAMPLES, () => 0)), 0, 'a clock that sees nothing');
  t.equal(medianNoisePct(series(LEAST_SAMPLES - 1, () => 5)), undefined);
});

t.test('the interval holds the true median about as often as it says', async (t) => {
  for (const count of [50, 400]) {
    let missed = 0;
    const trials = 200;
    for (let trial = 0; trial < trials; trial += 1) {
      const samples = normal(1000 * count + trial, count, 0.1);
      const median = samples.toSorted((a, b) => a - b)[Math.ceil(count / 2) - 1] ?? NaN;
      if (Math.abs(median - 100) > ((medianNoisePct(samples) ?? NaN) * median) / 100) missed += 1;
    }
    // The larger of two intervals of 95 %: at most as many misses, with room for chance.
    t.ok(missed <= trials * 0.06, `${count} samples: ${missed} of ${trials} missed`);
    t.ok(missed > 0, 'and it is not merely wide');
  }
});

t.test('more samples make it smaller, unless they drift', async (t) => {
  const calm = [50, 200, 800, 3200].map((count) => medianNoisePct(normal(3, count, 0.05)) ?? NaN);
  t.same(
    calm,
    calm.toSorted((a, b) => b - a),
    calm.join(' '),
  );
  t.ok((calm[3] ?? NaN) < 0.5);
  // One percent more in every 50 samples, a spread of 0.1 %: order statistics by themselves would be content.
  const random = new Random(5);
  for (const count of [50, 200, 800]) {
    const drifting = series(count, (index) => 100 * (1 + index / 5000 + 0.001 * random.normal()));
    const noise = medianNoisePct(drifting) ?? NaN;
    const drift = (100 * count) / 5000;
    t.ok(noise > drift / 6 && noise > 0.15, `${count} samples drift by ${drift} %, noise ${noise}`);
  }
});

t.test('a step, and neighbours that are alike', async (t) => {
  const random = new Random(7);
  const stepped = series(400, (index) => (index < 200 ? 100 : 110) + 0.1 * random.normal());
  t.ok((medianNoisePct(stepped) ?? NaN) > 4, 'half of the samples are another machine');
  // The level changes by 5 % every 20 samples; within a level there is hardly any spread.
  let level = 100;
  const alike = series(800, (index) => {
    if (index % 20 === 0) level = 100 * (1 + 0.05 * random.normal());
    return level * (1 + 0.001 * random.normal());
  });
  t.ok((medianNoisePct(alike) ?? NaN) > 0.5, `${medianNoisePct(alike)}`);
  // One sample of a thousand that was preempted changes nothing.
  const spiked = normal(9, 1000, 0.01);
  const before = medianNoisePct(spiked) ?? NaN;
  spiked[500] = 1e6;
  t.ok(Math.abs((medianNoisePct(spiked) ?? NaN) - before) < 0.1);
});
