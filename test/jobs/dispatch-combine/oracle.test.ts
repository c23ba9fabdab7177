/** The oracle finds nothing in a faultless exchange, and each planted fault in the others. */
import t from 'tap';
import type { MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import { verifyExchange } from '../../../jobs/dispatch-combine/oracle/oracle.js';
import { e4m3Code, E4M3_VALUES, tokenRow } from '../../../jobs/dispatch-combine/oracle/numbers.js';
import { forwardingNodes } from '../../../jobs/dispatch-combine/bytes/nodes.js';
import { makeRouting } from '../../../jobs/dispatch-combine/routing/routing.js';
import { answerInThread, verify } from '../../../jobs/dispatch-combine/thread/requests.js';
import type { NativeMoeResults } from '../../../runner/native/types/index.js';
import { idealResults } from './ideal-results.js';
import { moeSpec } from './moe-points.js';

const WORLD = 2;
const RANK = 1;
const JOB = { hidden: 128, numExperts: 8, numTopk: 3, numTokens: [5, 4], maxDispatchTokensPerRank: 6 };

/** Of the job on two nodes: 6 ranks, in turn. */
const NODE_OF_RANK = [0, 1, 0, 1, 0, 1];
const ON_NODES = { dedup: 'node', numExperts: 12, numTopk: 8, numTokens: [5, 4, 0, 3, 6, 2] };

const SHAPES: readonly Readonly<Record<string, unknown>>[] = [
  { dedup: 'on' },
  { dedup: 'off' },
  { dedup: 'on', outputLayout: 'rankMajor' },
  { dedup: 'on', dispatchDtype: 'fp8_e4m3' },
  { dedup: 'off', dispatchDtype: 'fp8_e4m3', roundScale: true },
  ON_NODES,
  { ...ON_NODES, outputLayout: 'rankMajor', dispatchDtype: 'fp8_e4m3' },
  { dedup: 'on', phases: 'split', routing: { kind: 'uniform', maskedFraction: 0.3 } },
];

interface Checked {
  readonly spec: MoeSpec;
  readonly results: NativeMoeResults;
}

function ideal(job: Readonly<Record<string, unknown>>): Checked {
  const spec = moeSpec({ ...JOB, ...job });
  const nodeOfRank = nodesFor(spec);
  return { spec, results: idealResults(spec, makeRouting(spec, nodeOfRank.length), RANK, nodeOfRank) };
}

const nodesFor = (spec: MoeSpec): readonly number[] =>
  spec.dedup === 'node' ? NODE_OF_RANK : Array.from({ length: WORLD }, () => 0);

function verdicts({ spec, results }: Checked): ReturnType<typeof verifyExchange> {
  const nodeOfRank = nodesFor(spec);
  const routing = makeRouting(spec, nodeOfRank.length);
  return verifyExchange(
    { spec, routing, rank: RANK, nodes: forwardingNodes(spec, nodeOfRank, 'host') },
    results,
  );
}

for (const shape of SHAPES) {
  t.test(`faultless: ${JSON.stringify(shape)}`, async (t) => {
    const checked = ideal(shape);
    const found = verdicts(checked);
    t.same(
      found.map(({ phase }) => phase),
      shape['phases'] === 'split'
        ? ['dispatchSend', 'dispatchReceive', 'combineSend', 'combineReceive']
        : ['dispatch', 'combine'],
    );
    for (const { wrong, checked: compared, firstBad } of found) {
      t.equal(wrong, 0, firstBad);
      t.ok(compared > 128 * 4, 'elements were compared');
    }
  });
}

type Plant = (results: { -readonly [Key in keyof NativeMoeResults]: NativeMoeResults[Key] }) => void;
const fewerGroups: Plant = (results) => {
  results.count = results.count.slice(0, 3);
};
const swap = <T>(array: { [index: number]: T }, a: number, b: number): void => {
  const kept = array[a] as T;
  array[a] = array[b] as T;
  array[b] = kept;
};

const PLANTED: readonly [string, Readonly<Record<string, unknown>>, string, RegExp, Plant][] = [
  ['a flipped bit', {}, 'dispatch', /token \d+, column 3: expected/, ({ x }) => (x[6] = (x[6] ?? 0) ^ 1)],
  [
    'two rows of one expert swapped',
    {},
    'dispatch',
    /column/,
    ({ x }) => {
      for (let byte = 0; byte < 256; byte++) swap(x, byte, 256 + byte);
    },
  ],
  ['source info swapped', {}, 'dispatch', /column/, ({ sourceToken }) => swap(sourceToken, 0, 1)],
  [
    'a token twice',
    {},
    'dispatch',
    /tokens in order/,
    ({ sourceToken }) => (sourceToken[1] = sourceToken[0] ?? 0),
  ],
  ['a group too few', {}, 'dispatch', /^groups of rows: expected 4, found 3$/, fewerGroups],
  ['a count too small', {}, 'dispatch', /row count/, ({ count }) => (count[0] = (count[0] ?? 0) - 1)],
  [
    'a layout range too short',
    {},
    'dispatch',
    /layout range/,
    ({ layoutRange }) => (layoutRange[0] = (layoutRange[0] ?? 0n) - 1n),
  ],
  ['a row too many', {}, 'dispatch', /behind the last row/, ({ guard }) => (guard[9] = 0)],
  ['nothing written', {}, 'dispatch', /column/, ({ x }) => x.fill(0x7f)],
  ['a wrong scale', { dispatchDtype: 'fp8_e4m3' }, 'dispatch', /scale 0/, ({ scales }) => (scales[0] = 1)],
  [
    'a wrong code',
    { dispatchDtype: 'fp8_e4m3' },
    'dispatch',
    /column 7/,
    ({ x }) => (x[7] = (x[7] ?? 0) ^ 1),
  ],
  [
    'a flipped bit of what was forwarded: the relay is named',
    ON_NODES,
    'dispatch',
    /source rank 4 through rank 5, token \d+, column 3: expected/,
    ({ x, layoutRange }) => {
      const at = 256 * Number((layoutRange[4] ?? 0n) >> 32n) + 6;
      x[at] = (x[at] ?? 0) ^ 1;
    },
  ],
  [
    'one unit in the last place of a sum',
    {},
    'combine',
    /token 0, column 9: bf16 bits/,
    ({ combined }) => (combined[9] = (combined[9] ?? 0) ^ 1),
  ],
  [
    'two combined tokens swapped',
    {},
    'combine',
    /bf16 bits/,
    ({ combined }) => {
      for (let column = 0; column < 128; column++) swap(combined, column, 128 + column);
    },
  ],
  [
    'a combined row too many',
    {},
    'combine',
    /behind the last token/,
    ({ combined }) => (combined[4 * 128] = 0),
  ],
  [
    'sums far from the plain sum',
    {},
    'combine',
    /./,
    ({ combined }) => {
      for (let column = 0; column < 512; column++) combined[column] = 0;
    },
  ],
];

for (const [name, job, phase, firstBad, plant] of PLANTED) {
  t.test(`${name} is found`, async (t) => {
    const checked = ideal({ dedup: 'on', ...job });
    plant(checked.results);
    const found = verdicts(checked).find((verdict) => verdict.phase === phase);
    t.ok((found?.wrong ?? 0) > 0, 'counted');
    t.match(found?.firstBad, firstBad);
  });
}

t.test('verify sample compares the elements of every eighth token, and all counts', async (t) => {
  const tokens = { numTokens: [9, 9], maxDispatchTokensPerRank: 9 };
  const whole = ideal({ dedup: 'on', ...tokens });
  const sampled = ideal({ dedup: 'on', ...tokens, verify: 'sample' });
  const [all, some] = [verdicts(whole), verdicts(sampled)];
  for (const [at, { phase, wrong, firstBad, checked }] of some.entries()) {
    t.equal(wrong, 0, firstBad);
    t.ok(checked < (all[at]?.checked ?? 0) / 2, `${phase}: fewer are compared`);
  }
  const flip = (token: number): void => {
    sampled.results.combined[token * 128] = (sampled.results.combined[token * 128] ?? 0) ^ 1;
  };
  flip(1);
  t.match(verdicts(sampled)[1], { wrong: 0 }, 'token 1 is not looked at');
  flip(8);
  t.match(verdicts(sampled)[1], { wrong: 1, firstBad: /token 8, column 0/ });
  sampled.results.sourceToken[0] = 7;
  t.match(verdicts(sampled)[0], { firstBad: /tokens in order/ });
});

t.test('what takes long is verified in a thread, which takes over the results', async (t) => {
  const { signal } = new AbortController();
  // No tokens: 33 rows of 65,536 elements, in which nothing may have been written.
  const spec = moeSpec({ ...JOB, hidden: 65_536, numTokens: 0, maxDispatchTokensPerRank: 33 });
  const routing = makeRouting(spec, WORLD);
  const results = idealResults(spec, routing, RANK);
  results.combined[65_536 + 7] = 0;
  const request = { spec, routing, rank: RANK, nodeOfRank: [0, 0], device: 'host', results } as const;
  const here = answerInThread({ work: 'verify', ...request });
  t.match(here, [{ wrong: 0 }, { wrong: 1, firstBad: /^row 1 behind the last token, column 7: expected/ }]);
  t.same(await verify({ work: 'verify', ...request }, signal), here, 'the same as without one');
  t.equal(results.combined.length, 0, 'nobody else has them any more');
  t.same(answerInThread({ work: 'route', spec, worldSize: WORLD, files: {} }), routing);
});

t.test('a token of an odd number of elements is the beginning of a longer one, then zeros', async (t) => {
  const place = { seed: 3, salt: 5, rank: 1, token: 2 };
  const [odd, longer] = [tokenRow(place, 127, 128), tokenRow(place, 128, 128)];
  t.same(odd, Uint16Array.of(...longer.subarray(0, 127), 0));
  t.not(longer[127], 0);
});

t.test('the same sums in another order are detected', async (t) => {
  const spec = moeSpec({ ...JOB, dedup: 'on' });
  const routing = makeRouting(spec, WORLD);
  const results = idealResults({ ...spec, dedup: 'off' }, routing, RANK);
  const [, combine] = verifyExchange({ spec, routing, rank: RANK, nodes: null }, results);
  t.ok((combine?.wrong ?? 0) > 0, 'partial sums are rounded once per rank');
  t.notMatch(combine?.firstBad, /calc_diff/, 'yet both are near the plain sum');
});

t.test('partials of a node that were never summed there are detected', async (t) => {
  const { spec } = ideal(ON_NODES);
  const routing = makeRouting(spec, NODE_OF_RANK.length);
  const results = idealResults(spec, routing, RANK);
  const [, combine] = verdicts({ spec, results });
  t.ok((combine?.wrong ?? 0) > 0, "a node's sum is rounded once more");
  t.notMatch(combine?.firstBad, /calc_diff/, 'yet both are near the plain sum');
});

t.test('e4m3: every value is its own nearest, ties go to even codes', async (t) => {
  for (const [code, value] of E4M3_VALUES.entries()) {
    t.equal(e4m3Code(value), code);
    const next = E4M3_VALUES[code + 1];
    if (next !== undefined) t.equal(e4m3Code((value + next) / 2), code + (code % 2));
  }
  t.equal(e4m3Code(-1e9), 0xfe);
});
