/** Bytes and memory of high throughput on GPUs, counted by hand; no GPU is needed. */
import t from 'tap';
import { capacities } from '../../../jobs/dispatch-combine/high-throughput/capacity.js';
import { countRouting } from '../../../jobs/dispatch-combine/bytes/routing-counts.js';
import { symmetricBytesHighCuda } from '../../../jobs/dispatch-combine/high-throughput/cuda.js';
import { needOfHighThroughput } from '../../../jobs/dispatch-combine/high-throughput/plan.js';
import { issuedBytesHigh } from '../../../jobs/dispatch-combine/high-throughput/traffic.js';
import { planMoe } from '../../../jobs/dispatch-combine/plan.js';
import { moeSpec } from './moe-points.js';

const spec = moeSpec({
  algorithm: 'highThroughput',
  strategy: 'sparse',
  hidden: 128,
  numTopk: 2,
  numExperts: 4,
  numTokens: [4, 0],
  maxDispatchTokensPerRank: 4,
});
/** Tokens of rank 0: to both ranks, to rank 0, to rank 1, to none. */
const source = {
  numTokens: 4,
  topkIdx: Int32Array.of(0, 2, 1, 0, 3, -1, -1, -1),
  topkWeights: new Float32Array(8),
};
const none = { numTokens: 0, topkIdx: new Int32Array(0), topkWeights: new Float32Array(0) };
const counts = countRouting(spec, { digest: '', ranks: [source, none] }, [0, 0]);

t.test('a rank reads rows, ids and weights, and words of the others', async (t) => {
  const standing = {
    rank: 1,
    isCuda: true,
    paths: ['ipc', 'self'] as const,
    nodes: null,
    numTokens: [4, 0],
  };
  const of = (operation: 'dispatch' | 'combine', strategy: 'sparse' | 'allGather', of = spec): object =>
    issuedBytesHigh(of, counts, standing, { operation, strategy, isAgain: false });
  const again = { ...spec, reuseLayout: true };
  t.same(of('dispatch', 'sparse'), { self: 0, ipc: 2 * 256 + 4 * 16 + 16, network: 0 });
  t.same(of('dispatch', 'sparse', again), { self: 0, ipc: 2 * 256 + 16, network: 0 });
  t.same(of('dispatch', 'allGather', again), { self: 0, ipc: 4 * 256 + 24, network: 0 });
  t.same(of('dispatch', 'sparse', { ...again, outputLayout: 'rankMajor' }), {
    self: 0,
    ipc: 2 * 256 + 24,
    network: 0,
  });
  t.same(of('combine', 'sparse'), { self: 0, ipc: 16, network: 0 }, 'rank 1 has no tokens to get back');
});

t.test('a rank puts rows, ids and weights, and words to a peer over the network', async (t) => {
  const standing = {
    rank: 0,
    isCuda: true,
    paths: ['self', 'network'] as const,
    nodes: null,
    numTokens: [4, 0],
  };
  const of = (operation: 'dispatch' | 'combine', strategy: 'sparse' | 'allGather', of = spec): object =>
    issuedBytesHigh(of, counts, standing, { operation, strategy, isAgain: false });
  // A word for the layout, and one for each of four slots.
  t.same(of('dispatch', 'sparse'), { self: 2 * 256, ipc: 0, network: 2 * 256 + 4 * 16 + 40 });
  t.same(of('dispatch', 'allGather', { ...spec, reuseLayout: true }), {
    self: 2 * 256,
    ipc: 0,
    network: 4 * 256 + 40,
  });
  t.same(of('combine', 'sparse'), { self: 2 * 256, ipc: 0, network: 40 }, 'no sums for rank 1');
  const oneProxy = { ...spec, numProxies: 1, dispatchDtype: 'fp8_e4m3' } as const;
  t.same(of('dispatch', 'sparse', oneProxy), {
    self: 2 * 132,
    ipc: 0,
    network: 2 * (128 + 16) + 4 * 16 + 16,
  });
});

t.test('pinned memory: a mirror for each peer over the network, and a copy of what goes out', async (t) => {
  const place = { device: 'cuda', worldSize: 4, rank: 0 } as const;
  const host = (transport: string, ranksPerNode: number): number | undefined => {
    const planned = moeSpec({ algorithm: 'highThroughput', strategy: 'sparse', transport });
    const need = needOfHighThroughput(planned, { ...place, ranksPerNode }, null);
    const bytesAreStaged = ranksPerNode < 4 || transport === 'network';
    const bytes = symmetricBytesHighCuda(planned, capacities(planned, 4, null), 'sparse', bytesAreStaged);
    return need.memoryBytes.host / bytes;
  };
  t.equal(host('hybrid', 4), 0);
  t.equal(host('hybrid', 2), 3);
  t.equal(host('network', 4), 4);
});

t.test('symmetric memory', async (t) => {
  const memory = capacities(spec, 2, counts);
  // Words of 2 ranks and of 256 blocks of each; ids and weights of 32 tokens; 4 rows for each slot; 2 rows to read, or 4 from each host. With
  // allGather one row behind the slots, that nobody writes.
  const words = 4 * 256 + 2 * 2 * 256 * 8 + 2 * 256;
  t.equal(symmetricBytesHighCuda(spec, memory, 'sparse', false), words + 4 * 256 + 2048);
  t.equal(symmetricBytesHighCuda(spec, memory, 'allGather', false), words + 9 * 256 + 2048);
  // A row of e4m3 has half the bytes, and 16 of scales.
  const fp8 = { ...spec, dispatchDtype: 'fp8_e4m3' } as const;
  t.equal(symmetricBytesHighCuda(fp8, memory, 'sparse', false), words + 2 * 256 + 256 + 2048);
  const rankMajor = { ...spec, outputLayout: 'rankMajor' } as const;
  t.equal(
    symmetricBytesHighCuda(rankMajor, memory, 'sparse', false),
    words + 9 * 256 + 512,
    'sources push into slots',
  );
});

t.test('the plan of a point: its rows by the routing, memory of the larger strategy', async (t) => {
  const planned = (job: object, device: 'host' | 'cuda', rank = 0): ReturnType<typeof planMoe> =>
    planMoe({ ...spec, ...job }, { device, worldSize: 2, rank, ranksPerNode: 2 }, {});
  // Every token chooses every expert: two rows of 128 elements come from each of 4 tokens, and a sum goes back.
  const every = { numTopk: 4, routing: { kind: 'uniform', maskedFraction: 0 } } as const;
  t.match(planned(every, 'host', 1), {
    payloadBytes: 4 * 256,
    details: { received_tokens: 4, receive_rows: 8, selections: 0 },
  });
  t.match(planned(every, 'host'), { payloadBytes: 4 * 256 + 2 * 4 * 256, details: { selections: 16 } });
  const symmetric = (strategy: string): unknown =>
    planned({ ...every, strategy }, 'cuda').details?.['symmetric_bytes'];
  t.equal(symmetric('auto'), symmetric('allGather'), 'both are opened, one after the other');
  // A slot more, of 4 rows, and the row behind them.
  t.equal(Number(symmetric('allGather')) - Number(symmetric('sparse')), 5 * 256);
});
