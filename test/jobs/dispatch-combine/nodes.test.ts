/** Who forwards what: ranks by node, and bytes counted by hand. */
import t from 'tap';
import { skippedTransport } from '../../../jobs/dispatch-combine/skips.js';
import { dispatchCombine } from '../../../jobs/dispatch-combine/index.js';
import {
  forwardingNodes,
  Nodes,
  nodesInBlocks,
  unequalNodes,
} from '../../../jobs/dispatch-combine/bytes/nodes.js';
import type { MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import type { Routing } from '../../../jobs/dispatch-combine/routing/routing.js';
import { countRouting } from '../../../jobs/dispatch-combine/bytes/routing-counts.js';
import { forwardedTokens } from '../../../jobs/dispatch-combine/high-throughput/traffic.js';
import { requirePlanned } from '../../../jobs/dispatch-combine/paths.js';
import { moeSpec } from './moe-points.js';
import {
  issuedBytes,
  payloadBytes,
  trafficOf,
  unitsTo,
  type PeerPath,
} from '../../../jobs/dispatch-combine/bytes/traffic.js';
import { sourceBytes } from '../../../jobs/dispatch-combine/bytes/peak.js';

const spec = {
  hidden: 200,
  numTopk: 3,
  numExperts: 4,
  maxDispatchTokensPerRank: 8,
  dispatchDtype: 'bf16',
  dedup: 'node',
  outputLayout: 'expertMajor',
} as unknown as MoeSpec;

// 2 nodes of 2 ranks, an expert each. Rank 0: token 0 to both ranks of node 1, token 1 to rank 3, token 2 to itself and
// rank 1. Rank 3: token 0 to rank 1.
const none = { numTokens: 0, topkIdx: new Int32Array(0), topkWeights: new Float32Array(0) };
const routing = {
  ranks: [
    { numTokens: 3, topkIdx: Int32Array.of(2, 3, -1, -1, 3, -1, 0, 1, -1), topkWeights: new Float32Array(9) },
    none,
    none,
    { numTokens: 1, topkIdx: Int32Array.of(1, -1, -1), topkWeights: new Float32Array(3) },
  ],
} as unknown as Routing;
const nodeOfRank = nodesInBlocks(4, 2);
const nodes = new Nodes(nodeOfRank);
const counts = countRouting(spec, routing, nodeOfRank);
const MESSAGE = 48 + 2 * 256; // 16 + 8 * 3, in steps of 16; hidden padded to 256
const ROW = 2 * 256;
const SIGNAL = 8;

const pathsOf = (rank: number): PeerPath[] =>
  nodeOfRank.map((node, peer) => (peer === rank ? 'self' : node === nodeOfRank[rank] ? 'ipc' : 'network'));

t.test('high throughput hands on as many', async (t) => {
  const forwarded = [0, 1, 2, 3].map((rank) => {
    const at = {
      rank,
      isCuda: false,
      paths: pathsOf(rank),
      nodes,
      numTokens: [3, 0, 0, 1],
    };
    return [forwardedTokens(at, counts), forwardedTokens({ ...at, nodes: null }, counts)];
  });
  t.same(forwarded, [
    [0, 0],
    [0, 0],
    [2, 0], // both that rank 0 sends to rank 3
    [0, 0],
  ]);
});

t.test('rails and relays, also of ranks that are assigned round-robin', async (t) => {
  t.equal(nodes.relayOf(0, 3), 2, 'for rank 0, rank 2 forwards to rank 3');
  t.equal(nodes.relayOf(1, 2), 3);
  t.equal(nodes.relayOf(0, 1), 1, 'inside a node nobody does');
  const turns = new Nodes([0, 1, 0, 1]);
  t.equal(turns.relayOf(0, 3), 1);
  t.ok(turns.isRail(2, 3) && !turns.isRail(0, 3) && !turns.isRail(0, 2));
});

t.test('where nothing is forwarded', async (t) => {
  const none: readonly [string, readonly number[]][] = [
    ['on', [0, 0, 1, 1]],
    ['node', [0, 0, 0]],
    ['node', [0, 1, 2]],
    ['node', [0, 0, 1]],
  ];
  for (const [dedup, world] of none) {
    t.equal(forwardingNodes(moeSpec({ dedup }), world, 'host'), null, `${dedup}, nodes ${world.join()}`);
  }
  t.equal(unequalNodes([0, 0, 1, 1]), null);
  t.match(unequalNodes([5, 5, 1]), /nodes of 2, 1 ranks/);
  const place = { device: 'host', worldSize: 5, ranksPerNode: 3, networkMissing: '' } as const;
  const job = {
    transport: 'hybrid',
    dedup: 'on',
    algorithm: 'lowLatency',
    zeroCopy: false,
    outputLayout: 'expertMajor',
  } as const;
  t.match(skippedTransport({ ...job, dedup: 'node' }, place), /nodes of 3, 2 ranks/);
  t.equal(skippedTransport(job, place), null);
  const zeroCopy = { ...job, zeroCopy: true } as const;
  t.equal(skippedTransport(zeroCopy, place), null);
  t.match(skippedTransport(zeroCopy, { ...place, device: 'cuda' }), /use dedup off on cuda/);
  // A kernel reaches 64 ranks; the host device as many as there are.
  const large = { ...place, worldSize: 65 };
  t.equal(skippedTransport(job, large), null);
  t.match(skippedTransport(job, { ...large, device: 'cuda' }), /on cuda reach 64 ranks .* this world has 65/);
  const high = { ...job, algorithm: 'highThroughput' } as const;
  const oneNode = { ...place, device: 'cuda', worldSize: 4, ranksPerNode: 4 } as const;
  t.equal(skippedTransport(high, oneNode), null);
  const twoNodes = { ...oneNode, ranksPerNode: 2 } as const;
  t.equal(skippedTransport({ ...high, transport: 'network' }, oneNode), null);
  t.equal(skippedTransport(high, twoNodes), null);
  const forwarded = { ...high, dedup: 'node' } as const;
  t.match(skippedTransport(forwarded, twoNodes), /forwarded between nodes on the host device only/);
  t.equal(skippedTransport(forwarded, { ...twoNodes, ranksPerNode: 1 }), null, 'nothing to forward');
  t.equal(skippedTransport(forwarded, { ...twoNodes, device: 'host' }), null);
  const wide = { ...oneNode, worldSize: 33, ranksPerNode: 33 };
  t.match(skippedTransport(high, wide), /on cuda reach 32 ranks .* this world has 33/);
});

t.test('bytes of each rank, by path', async (t) => {
  const expected: readonly (readonly [number, number, number])[] = [
    // dispatch: self, ipc, network. Each rank signals its neighbour twice: its own tokens and those it forwards.
    [MESSAGE, MESSAGE + 2 * SIGNAL, 2 * MESSAGE + SIGNAL],
    [0, 2 * SIGNAL, SIGNAL],
    [0, 2 * MESSAGE + 2 * SIGNAL, SIGNAL], // both of rank 0's messages go on to rank 3
    [0, 2 * SIGNAL, MESSAGE + SIGNAL],
  ];
  const back: readonly (readonly [number, number, number])[] = [
    // combine. By ipc: to the neighbour, and to it for its rail. By network: the node's sums to the own rail.
    [ROW, 2 * SIGNAL, SIGNAL],
    [0, ROW + 2 * SIGNAL, ROW + SIGNAL],
    [0, 2 * SIGNAL, 2 * ROW + SIGNAL], // 2 sums for rank 0, of which rank 2 has a share in one
    [0, 2 * ROW + 2 * SIGNAL, SIGNAL],
  ];
  for (const rank of nodeOfRank.keys()) {
    const traffic = trafficOf(spec, counts, rank, nodes);
    for (const [phase, table] of [
      ['dispatch', expected],
      ['combine', back],
    ] as const) {
      const [self = 0, ipc = 0, network = 0] = table[rank] ?? [];
      const issued = issuedBytes(spec, traffic, { paths: pathsOf(rank), nodes }, phase);
      t.same(issued, { self, ipc, network }, `rank ${rank}, ${phase}`);
      const units = (self + ipc + network - 3 * SIGNAL) / (phase === 'dispatch' ? MESSAGE : ROW);
      t.equal(payloadBytes(spec, traffic, phase).payload, units * 2 * 200, 'payload is what moved');
    }
  }
});

t.test('bytes that are not those of the routing are wrong data, with their path', async (t) => {
  const planned = { self: 1, ipc: 2, network: 3 };
  const issued = { ...planned, payload: 6, pcie: 0, disk: 0 };
  requirePlanned(issued, planned, 'combine');
  t.throws(() => requirePlanned({ ...issued, network: 4 }, planned, 'combine'), {
    code: 'E_WRONG_DATA',
    message: 'combine: bytes over network: expected 3 by the routing, issued 4',
  });
});

t.test('what goes to whom, for the probe of the same bytes', async (t) => {
  const to = (rank: number, phase: 'dispatch' | 'combine'): number[] =>
    unitsTo(trafficOf(spec, counts, rank, nodes), { rank, nodes }, phase);
  t.same(to(0, 'dispatch'), [1, 1, 2, 0], 'nothing to rank 3, whose messages rank 2 forwards');
  t.same(to(2, 'dispatch'), [0, 0, 0, 2]);
  t.same(to(3, 'combine'), [0, 0, 2, 0], 'two partials for rank 0, which rank 2 sums');
  t.same(to(2, 'combine'), [2, 0, 0, 0]);
  const relay = trafficOf(spec, counts, 2, nodes);
  t.equal(sourceBytes(spec, relay, 0, 'dispatch'), 2 * MESSAGE, 'a relay reads what it forwards');
});

t.test('the plan of a point says that it forwards, and what relays keep', async (t) => {
  const planned = (dedup: string, ranksPerNode: number): ReturnType<typeof dispatchCombine.plan> => {
    const keys = { ...spec, numTokens: 4, seed: 1, routing: { kind: 'uniform', maskedFraction: 0 }, dedup };
    const point = { spec: keys, files: {} } as unknown as Parameters<typeof dispatchCombine.plan>[0];
    return dispatchCombine.plan(point, { worldSize: 4, rank: 0, ranksPerNode, device: 'host' });
  };
  t.equal(planned('node', 2).details?.['dedup'], 'node');
  t.equal(planned('node', 4).details?.['dedup'], 'on');
  t.equal(planned('node', 2).details?.['symmetric_bytes'], planned('on', 2).details?.['symmetric_bytes']);
  t.equal(
    planned('node', 2).memoryBytes.device - planned('on', 2).memoryBytes.device,
    4 * 8 * (4 + 4 * 3),
    'token and choices of what was forwarded',
  );
});
