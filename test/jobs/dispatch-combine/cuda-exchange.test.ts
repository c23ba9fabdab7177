/** Bytes and sizes of the cuda device's exchange, against figures counted by hand. */
import t from 'tap';
import { dispatchCombine } from '../../../jobs/dispatch-combine/index.js';
import {
  issuedBytesCuda,
  networkMemoryBytesCuda,
  slicesOf,
  symmetricBytesCuda,
} from '../../../jobs/dispatch-combine/bytes/cuda.js';
import { forwardedBytesCuda } from '../../../jobs/dispatch-combine/bytes/cuda-forwarded.js';
import { countRouting } from '../../../jobs/dispatch-combine/bytes/routing-counts.js';
import { Nodes } from '../../../jobs/dispatch-combine/bytes/nodes.js';
import type { MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import type { Routing } from '../../../jobs/dispatch-combine/routing/routing.js';

const spec = {
  hidden: 256,
  numTopk: 2,
  numExperts: 4,
  maxDispatchTokensPerRank: 8,
  dispatchDtype: 'fp8_e4m3',
  dedup: 'on',
  zeroCopy: false,
  outputLayout: 'expertMajor',
  numProxies: 1,
} as unknown as MoeSpec;

// Two ranks with two experts each. Rank 0: token 0 to both experts of rank 1, token 1 to rank 0 and nowhere else.
const routing = {
  ranks: [
    { numTokens: 2, topkIdx: Int32Array.of(2, 3, 0, -1), topkWeights: Float32Array.of(1, 1, 1, 1) },
    { numTokens: 0, topkIdx: new Int32Array(0), topkWeights: new Float32Array(0) },
  ],
} as unknown as Routing;
const counts = countRouting(spec, routing, [0, 1]);

t.test('bytes that are issued', async (t) => {
  // A row: 256 codes and 2 scales in 16 bytes. Words to rank 1: 1 flag, 2 records of 5, 2 counts, 1 count of messages,
  // 1 that begins the call.
  t.same(issuedBytesCuda(spec, counts, 0, ['self', 'ipc'], 'dispatch'), {
    self: 272,
    ipc: 272 + 8 * (1 + 10 + 2 + 1 + 1),
    network: 0,
  });
  // Rank 1 sends one bf16 row back, one flag and the word that begins the call.
  t.same(issuedBytesCuda(spec, counts, 1, ['ipc', 'self'], 'combine'), {
    self: 0,
    ipc: 512 + 8 * 2,
    network: 0,
  });
  // Over the network no flags.
  t.equal(
    issuedBytesCuda(spec, counts, 0, ['self', 'network'], 'dispatch').network,
    272 + 8 * (10 + 2 + 1 + 1),
  );
  t.equal(issuedBytesCuda(spec, counts, 1, ['network', 'self'], 'combine').network, 512 + 8);
  const two = { ...spec, numProxies: 2 } as MoeSpec;
  t.equal(issuedBytesCuda(two, counts, 1, ['network', 'self'], 'combine').network, 512 + 16, 'a signal each');
  const off = { ...spec, dedup: 'off' } as MoeSpec;
  t.equal(issuedBytesCuda(off, counts, 0, ['self', 'ipc'], 'dispatch').ipc, 2 * 272 + 8 * 15);
  t.equal(issuedBytesCuda(off, counts, 0, ['self', 'ipc'], 'combine').self, 0, 'own rows are read in place');
});

t.test('bytes that are issued where nodes forward', async (t) => {
  // Ranks 0, 1 and 2, 3 are nodes; an expert each. Rank 0: one token to ranks 2 and 3, one to rank 1. Rank 1: to rank 2.
  const forwarded = {
    ranks: [
      { numTokens: 2, topkIdx: Int32Array.of(2, 3, 1, -1), topkWeights: new Float32Array(4) },
      { numTokens: 1, topkIdx: Int32Array.of(2, -1), topkWeights: new Float32Array(2) },
      { numTokens: 0, topkIdx: new Int32Array(0), topkWeights: new Float32Array(0) },
      { numTokens: 0, topkIdx: new Int32Array(0), topkWeights: new Float32Array(0) },
    ],
  } as unknown as Routing;
  const nodes = new Nodes([0, 0, 1, 1]);
  const crossing = countRouting(spec, forwarded, [0, 0, 1, 1]);
  const bytes = (rank: number, phase: 'dispatch' | 'combine'): object =>
    forwardedBytesCuda(spec, crossing, { rank, nodes }, phase);
  // A plan: 1 + 1 counts and records of 5 words. From rank 0: 12 words, rank 1: 7, the others 2.
  t.same(bytes(0, 'dispatch'), {
    self: 0,
    ipc: 272 + 8 * (1 + 12 + 1) + 8 * (1 + 2), // own row to rank 1; the nothing of rail 2 forwarded there
    network: 272 + 8 * (1 + 2 * 12), // one row for both, two plans
  });
  // Rank 2 forwards rank 0's row to rank 3, and has nothing of its own.
  t.same(bytes(2, 'dispatch'), {
    self: 0,
    ipc: 8 * (1 + 2) + 272 + 8 * (1 + 12 + 1),
    network: 8 * (1 + 2 * 2),
  });
  // Back: rank 2 keeps its partial for rank 0, sums and sends one row; its partial for rank 1 goes to rank 3.
  t.same(bytes(2, 'combine'), { self: 512, ipc: 8 + 512 + 8, network: 512 + 8 });
  t.same(bytes(3, 'combine'), { self: 0, ipc: 8 + 512 + 8, network: 512 + 8 });
  t.same(bytes(1, 'combine'), { self: 0, ipc: 512 + 8 + 8, network: 8 });
});

t.test('slices and the symmetric buffer', async (t) => {
  t.equal(slicesOf(spec), 1);
  t.equal(slicesOf({ ...spec, hidden: 20_001 } as MoeSpec), 3);
  // A block: begins 256; 1 + 2 counts and 8 records of 5 words, 344 in 384; 8 flags in 128; 8 rows of 512.
  const block = 256 + 384 + 128 + 8 * 512;
  t.equal(symmetricBytesCuda(spec, 2), 2 * 2 * block + 128);
  t.equal(networkMemoryBytesCuda(spec, 2, 1), 2 * 2 * block);
  // Without dedup a row for each of up to 2 experts of a rank there, and back for each of its experts.
  const apart = { ...spec, dedup: 'off' } as MoeSpec;
  t.equal(symmetricBytesCuda(apart, 2), 2 * 2 * (block + 8 * 512) + 128);
  t.equal(symmetricBytesCuda({ ...apart, numTopk: 1 } as MoeSpec, 2), 2 * 2 * (block - 128 + 8 * 512) + 128);
  // zeroCopy: twice a bf16 row for each of 2 experts, 2 ranks and 8 tokens.
  t.equal(symmetricBytesCuda({ ...spec, zeroCopy: true } as MoeSpec, 2), 2 * 2 * block + 2 * 32 * 512 + 128);
  // Two plans: 2 x 344 in 768.
  t.equal(symmetricBytesCuda(spec, 2, 2), 2 * 2 * (block + 384) + 128);
});

t.test('pinned memory for peers over the network: that of the rank which has most of them', async (t) => {
  const pinned = (transport: string, place: readonly number[], device = 'cuda', dedup = 'on'): number => {
    const [worldSize = 0, rank = 0, ranksPerNode = 0] = place;
    const routed = { numTokens: 4, seed: 1, routing: { kind: 'uniform' } };
    const keys = { ...spec, dedup, numExperts: 12, transport, ...routed };
    const point = { spec: keys, files: {} } as unknown as Parameters<typeof dispatchCombine.plan>[0];
    const at = { worldSize, rank, ranksPerNode, device: device as 'host' | 'cuda' };
    return dispatchCombine.plan(point, at).memoryBytes.host;
  };
  const forPeers = (worldSize: number, peers: number): number =>
    networkMemoryBytesCuda({ ...spec, numExperts: 12 }, worldSize, peers);
  for (const rank of [0, 2]) {
    t.equal(pinned('hybrid', [3, rank, 2]), forPeers(3, 2), `nodes of 2 and 1, rank ${rank}`);
    t.equal(pinned('hybrid', [4, rank, 2]), forPeers(4, 2), `2 nodes of 2, rank ${rank}`);
  }
  t.equal(pinned('hybrid', [4, 0, 4]), 0, 'one node');
  t.equal(
    pinned('hybrid', [4, 0, 2], 'cuda', 'node'),
    networkMemoryBytesCuda({ ...spec, numExperts: 12 }, 4, 1, 2),
    'forwarding: one rail, which takes the plans of both ranks of the node',
  );
  t.equal(pinned('ipc', [4, 0, 2]), 0);
  t.equal(pinned('network', [4, 0, 4]), forPeers(4, 3));
  t.equal(pinned('network', [4, 0, 4], 'host'), 0, 'the host device reaches peers from its symmetric buffer');
});
