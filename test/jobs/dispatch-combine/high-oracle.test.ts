/** The oracle of high throughput: content with what is right, and with nothing else. Counts and memory by hand. */
import t from 'tap';
import {
  capacities,
  privateBytesHigh,
  symmetricBytesHigh,
  worstCaseCapacity,
} from '../../../jobs/dispatch-combine/high-throughput/capacity.js';
import { countRouting } from '../../../jobs/dispatch-combine/bytes/routing-counts.js';
import { issuedBytesHigh } from '../../../jobs/dispatch-combine/high-throughput/traffic.js';
import { verifyHighThroughput } from '../../../jobs/dispatch-combine/oracle/high-throughput.js';
import { makeRouting, type Routing } from '../../../jobs/dispatch-combine/routing/routing.js';
import { Nodes } from '../../../jobs/dispatch-combine/bytes/nodes.js';
import type { MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import { itemAt } from '../../../runner/values/items.js';
import type { NativeMoeResults } from '../../../runner/native/types/index.js';
import { idealHighResults } from './ideal-high-results.js';
import { moeFaultsOf, moeSpec } from './moe-points.js';

const RANK = 1;
const HIGH = { algorithm: 'highThroughput', strategy: 'sparse', expertAlignment: 4 } as const;
const spec = moeSpec({ ...HIGH, numTokens: [12, 3, 0, 16] });
const routing = makeRouting(spec, 4, {});

const ideal = (of = spec): NativeMoeResults => idealHighResults(of, routing, RANK);
const wrongOf = (
  results: NativeMoeResults,
  of = spec,
): readonly (readonly [string | undefined, number, string])[] =>
  verifyHighThroughput({ spec: of, routing, rank: RANK, nodes: null }, results).map(
    ({ phase, wrong, firstBad }) => [phase, wrong, firstBad],
  );

const fp8: MoeSpec = { ...spec, dispatchDtype: 'fp8_e4m3' };

t.test('what is right is right', async (t) => {
  for (const of of [spec, fp8]) {
    t.same(wrongOf(ideal(of), of), [
      ['dispatch', 0, ''],
      ['combine', 0, ''],
    ]);
  }
});

t.test('every kind of fault is found and named', async (t) => {
  const swapped = (array: Int32Array): Int32Array => {
    const [first = 0, second = 0] = array;
    return Int32Array.from(array, (value, index) => (index === 0 ? second : index === 1 ? first : value));
  };
  const changed = <T extends Uint8Array | Float32Array | Uint16Array>(array: T, at: number): T => {
    const copy = array.slice() as T;
    copy[at] = (copy[at] ?? 0) + 1;
    return copy;
  };
  const right = ideal();
  const padding = right.rowToken.indexOf(-1);
  const rowBytes = 2 * spec.hidden;
  const row = (index: number): Uint8Array => right.x.slice(index * rowBytes, (index + 1) * rowBytes);
  const rowsSwapped = right.x.slice();
  rowsSwapped.set(row(1), 0);
  rowsSwapped.set(row(0), rowBytes);
  const cases: readonly [string, Partial<NativeMoeResults>, RegExp][] = [
    [
      'a count',
      { count: swapped(right.count.map((value, index) => value + index)) },
      /rows of local experts/,
    ],
    ['two tokens out of order', { sourceToken: swapped(right.sourceToken) }, /source tokens\[0\]/],
    ['two rows out of order', { x: rowsSwapped }, /row 0, token/],
    ['an index', { rowToken: swapped(right.rowToken) }, /tokens of expert rows/],
    [
      'a row that a choice points to',
      { tokenRow: right.tokenRow.map((value) => value + 1) },
      /expert rows of choices/,
    ],
    ['a weight', { tokenWeight: changed(right.tokenWeight, 3) }, /weights of choices\[3\]/],
    ['one byte of a row', { x: changed(right.x, 5) }, /row 0, .*column 2/],
    ['a byte between experts', { x: changed(right.x, padding * rowBytes) }, /padding row/],
    ['a byte behind the rows', { guard: changed(right.guard, 0) }, /behind the last row/],
    ['a row too few', { x: right.x.subarray(rowBytes) }, /bytes of all rows/],
    [
      'a received token too few',
      { sourceToken: right.sourceToken.slice(1) },
      /^source tokens: entries: expected \d+, found \d+$/,
    ],
  ];
  for (const [name, fault, said] of cases) {
    const [dispatch] = wrongOf({ ...right, ...fault });
    t.ok((dispatch?.[1] ?? 0) > 0, name);
    t.match(dispatch?.[2], said, name);
  }
  const [, combine] = wrongOf({ ...right, combined: changed(right.combined, 7) });
  t.match(combine, ['combine', Number, /token 0, column 7/]);
  const scaled = ideal(fp8);
  const [scale] = wrongOf({ ...scaled, scales: changed(scaled.scales, 1) }, fp8);
  t.match(scale, ['dispatch', 1, /^row 0, token \d+ of rank \d, scale 1: expected/]);
});

t.test('verify sample compares the elements of every eighth token, and the whole layout', async (t) => {
  const sampled: MoeSpec = { ...spec, verify: 'sample' };
  const right = ideal();
  const rowOf = (isSampled: boolean): number =>
    right.rowToken.findIndex(
      (received) => received >= 0 && (itemAt([...right.sourceToken], received) % 8 === 0) === isSampled,
    );
  for (const [isSampled, wrong] of [
    [true, 1],
    [false, 0],
  ] as const) {
    const x = right.x.slice();
    const at = rowOf(isSampled) * 2 * spec.hidden;
    x[at] = (x[at] ?? 0) ^ 1;
    t.match(wrongOf({ ...right, x }, sampled), [
      ['dispatch', wrong],
      ['combine', 0],
    ]);
    t.match(
      wrongOf({ ...right, x }),
      [
        ['dispatch', 1],
        ['combine', 0],
      ],
      'all of them without it',
    );
  }
  const tokenRow = right.tokenRow.map((value) => value + 1);
  t.match(wrongOf({ ...right, tokenRow }, sampled), [['dispatch', Number, /expert rows of choices/]]);
});

/** 2 ranks of 2 experts; rank 0 has 4 tokens: (0 1), (3 -), (- -), (2 0); rank 1 has none. */
const byHand: Routing = {
  digest: '',
  ranks: [
    {
      numTokens: 4,
      topkIdx: Int32Array.of(0, 1, 3, -1, -1, -1, 2, 0),
      topkWeights: new Float32Array(8),
    },
    { numTokens: 0, topkIdx: new Int32Array(0), topkWeights: new Float32Array(0) },
  ],
};
const two = moeSpec({
  ...HIGH,
  hidden: 128,
  numTopk: 2,
  numExperts: 4,
  numTokens: [4, 0],
  maxDispatchTokensPerRank: 4,
});

t.test('counts, memory and bytes by hand', async (t) => {
  const counts = countRouting(two, byHand, [0, 0]);
  t.same(counts, {
    numTokens: [4, 0],
    choicesTo: [Uint32Array.of(3, 2), new Uint32Array(2)],
    tokensTo: [Uint32Array.of(2, 2), new Uint32Array(2)],
    tokensToNode: [[3], [0]],
    rowsOfExpert: [2, 1, 1, 1],
    selections: [5, 0],
  });
  t.same(capacities(two, 2, counts), [
    { tokens: 2, rows: 8 },
    { tokens: 2, rows: 8 },
  ]);
  t.same(worstCaseCapacity(two, 2), { tokens: 8, rows: 8 * 2 + 2 * 3 });
  // A block: 2 words in 128 bytes, 7 counts in 128, ids and weights in 128 each, 4 rows of 256. Then words, 2 partial sums.
  t.equal(symmetricBytesHigh(two, capacities(two, 2, counts), 0), 512 + 4 * 256 + 128 + 2 * 256);
  t.equal(symmetricBytesHigh(two, capacities(two, 2, counts), 1), 2 * 1536 + 128 + 512 + 128 + 4 * 256);
  t.equal(
    privateBytesHigh(two, 2, { tokens: 2, rows: 8 }),
    9 * 256 + 8 * 256 + 4 * (4 + 2 + 2 + 8 + 2 * 7) + 4 * 256,
  );
  const standing = {
    rank: 1,
    isCuda: false,
    paths: ['ipc', 'self'] as const,
    nodes: null,
    numTokens: [4, 0],
  };
  const of = (
    operation: 'dispatch' | 'combine',
    strategy: 'sparse' | 'allGather',
    isAgain: boolean,
  ): object => issuedBytesHigh(two, counts, standing, { operation, strategy, isAgain });
  t.same(of('dispatch', 'sparse', false), { self: 0, ipc: 2 * 256 + 28 + 4 * 16 + 16, network: 0 });
  t.same(of('dispatch', 'allGather', true), { self: 0, ipc: 4 * 256 + 8, network: 0 });
  t.same(of('combine', 'sparse', false), { self: 0, ipc: 8, network: 0 }, 'rank 1 has no tokens to get back');
});

t.test('a token crosses once for each node, in rows that close up', async (t) => {
  const four = moeSpec({
    ...HIGH,
    hidden: 128,
    numTopk: 2,
    numExperts: 4,
    numTokens: [1, 0, 0, 0],
    maxDispatchTokensPerRank: 1,
  });
  const none = { numTokens: 0, topkIdx: new Int32Array(0), topkWeights: new Float32Array(0) };
  const one = { numTokens: 1, topkIdx: Int32Array.of(2, 3), topkWeights: new Float32Array(2) };
  const nodeOf = [0, 0, 1, 1];
  const counts = countRouting(four, { digest: '', ranks: [one, none, none, none] }, nodeOf);
  const nodes = new Nodes(nodeOf);
  const paths = ['self', 'ipc', 'network', 'network'] as const;
  const standing = { rank: 0, isCuda: false, paths, nodes, numTokens: [1, 0, 0, 0] };
  const call = { operation: 'dispatch', strategy: 'sparse', isAgain: true } as const;
  t.equal(issuedBytesHigh(four, counts, standing, call).network, 256 + 8, 'both experts are on node 1');
  t.equal(
    issuedBytesHigh(four, counts, { ...standing, nodes: null }, call).network,
    2 * (256 + 8),
    'else each apart',
  );
});

t.test('keys that cannot be, or would do nothing', async (t) => {
  const pointers = (job: object, worldSize: number | null = null): string[] => [
    ...new Set(moeFaultsOf({ ...job }, worldSize).map(({ pointer }) => pointer)),
  ];
  t.same(
    pointers({
      ...HIGH,
      dedup: 'off',
      phases: 'split',
      zeroCopy: true,
      outputLayout: 'rankMajor',
    }).toSorted(),
    ['/dedup', '/phases', '/zeroCopy'],
  );
  t.same(
    pointers({ strategy: 'sparse', expertAlignment: 2, reuseLayout: true, weighted: false }).toSorted(),
    ['/expertAlignment', '/reuseLayout', '/strategy', '/weighted'],
  );
  t.same(pointers({ smCount: 8, receiveRows: 'worstCase' }).toSorted(), ['/receiveRows', '/smCount']);
  t.same(pointers({ ...HIGH, expertAlignment: 0 }), ['/expertAlignment']);
  t.same(pointers({ ...HIGH, receiveRows: 0 }), ['/receiveRows']);
  const shape = { numTopk: 32, numExperts: 2048, numTokens: 1, outputLayout: 'rankMajor' };
  const many = { ...HIGH, ...shape, maxDispatchTokensPerRank: 1_048_576 };
  t.same(pointers(many, 64), ['/maxDispatchTokensPerRank'], 'rows are counted in 31 bits');
});
