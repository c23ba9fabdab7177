import t from 'tap';
import { acrossRanks } from '../../../runner/statistics/across-ranks.js';

t.test('an iteration is complete when its last rank is', async (t) => {
  const across = acrossRanks([
    { rank: 0, samplesUs: [1, 9, 1, 2], payloadBytes: 3000 },
    { rank: 3, samplesUs: [5, 1, 5, 6], payloadBytes: 5000 },
  ]);
  t.match(across, {
    completion: { count: 4, min: 5, p50: 5, max: 9, mean: 6.25 },
    meanOverRanks: { min: 3, p50: 3, max: 5, mean: 3.75 },
    slowestRank: 3,
    slowestSharePct: 75,
    // 8000 bytes in 5 us; one rank's 3000 B / 1 us times two would be 6.
    aggregateGBps: 1.6,
  });
});

t.test(
  'a rank that is slow only now and then is seen in the completion time, not in its own median',
  async (t) => {
    const fast = Array.from({ length: 10 }, () => 10);
    const ranks = Array.from({ length: 10 }, (_unused, rank) => ({
      rank,
      samplesUs: fast.map((timeUs, iteration) => (iteration === rank ? 50 : timeUs)),
    }));
    t.match(acrossRanks(ranks), {
      completion: { p50: 50 },
      meanOverRanks: { p50: 14 },
      aggregateGBps: undefined,
    });
  },
);

t.test('among ranks that were last equally often the lowest is named', async (t) => {
  const ranks = [
    { rank: 1, samplesUs: [1, 2] },
    { rank: 2, samplesUs: [2, 1] },
  ];
  t.match(acrossRanks(ranks), { slowestRank: 1, slowestSharePct: 50 });
  t.match(acrossRanks(ranks.toReversed()), { slowestRank: 1, slowestSharePct: 50 });
});

t.test('no iteration that all ranks took: no figure', async (t) => {
  t.equal(acrossRanks([]), undefined);
  t.equal(acrossRanks([{ rank: 0, samplesUs: [] }]), undefined);
  const unequal = [
    { rank: 0, samplesUs: [1, 2] },
    { rank: 1, samplesUs: [1] },
  ];
  t.equal(acrossRanks(unequal), undefined);
});

t.test('the aggregate needs the bytes of every rank', async (t) => {
  const ranks = [
    { rank: 0, samplesUs: [1], payloadBytes: 1000 },
    { rank: 1, samplesUs: [1] },
  ];
  t.equal(acrossRanks(ranks)?.aggregateGBps, undefined);
});

t.test('ranks that take turns on too few cores do not add up to a bandwidth that is not there', async (t) => {
  // Two ranks of 10 us each, the second let in when the first is done.
  const across = acrossRanks([
    { rank: 0, samplesUs: [10, 10], entrySkewUs: [10, 10], payloadBytes: 50_000 },
    { rank: 1, samplesUs: [10, 10], entrySkewUs: [10, 10], payloadBytes: 50_000 },
  ]);
  t.match(across, { completion: { p50: 10 }, spanP50Us: 20, aggregateGBps: 5 });
});
