import t from 'tap';
import { bandwidthGBps, bandwidths, percentOf } from '../../../runner/statistics/bandwidth.js';

t.test('GB is 1e9 bytes: 1 000 000 bytes in 1 ms are 1 GB/s', async (t) => {
  t.equal(bandwidthGBps(1_000_000, 1000), 1);
  t.equal(bandwidthGBps(1 << 30, 1e6), 1.073741824);
});

t.test('every figure has its own bytes', async (t) => {
  // 8 ranks of an all-gather: busbw is 7/8 of algbw.
  const input = { timeUs: 500, payloadBytes: 4e6, logicalBytes: 6e6, busbwFactor: 7 / 8, peakGBps: 10 };
  t.same(bandwidths(input), { algbwGBps: 8, busbwGBps: 7, logbwGBps: 12, pctOfPeak: 80 });
});

t.test('what has no meaning is undefined, never 0', async (t) => {
  const nothing = { algbwGBps: undefined, busbwGBps: undefined, logbwGBps: undefined, pctOfPeak: undefined };
  t.same(bandwidths({ timeUs: 5 }), nothing);
  t.same(bandwidths({ timeUs: 5, payloadBytes: 0, logicalBytes: 0, busbwFactor: 1, peakGBps: 4 }), nothing);
  t.same(
    bandwidths({ timeUs: 0, payloadBytes: 10, busbwFactor: 1, peakGBps: 4 }),
    nothing,
    'a clock that stood',
  );
  t.match(bandwidths({ timeUs: 1, payloadBytes: 1000 }), { algbwGBps: 1, busbwGBps: undefined });
  t.equal(percentOf(3, 0), undefined);
});
