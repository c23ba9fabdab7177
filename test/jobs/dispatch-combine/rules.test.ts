/** Bad input: every rule names the key, what was expected and what was received. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { moeFaultsOf, moeSpec, moeSpecOf, resolveMoeJob, SMALL_JOB } from './moe-points.js';

t.test('a legal job has no issues, alone and in a world', async (t) => {
  t.same(moeFaultsOf({}), []);
  t.same(moeFaultsOf({}, 4), []);
  t.same(moeFaultsOf({ numTokens: [0, 1, 16, 5] }, 4), []);
});

const REFUSED: readonly [string, Readonly<Record<string, unknown>>, number | null, string, RegExp][] = [
  ['experts that no world of 3 can share', {}, 3, '/numExperts', /multiple of the 3 ranks/],
  ['more choices than experts', { numTopk: 9, numExperts: 8 }, null, '/numTopk', /at most 8/],
  ['more choices than the limit', { numTopk: 33 }, null, '/numTopk', /32/],
  ['tokens over the maximum', { numTokens: 17 }, null, '/numTokens', /at most 16/],
  ['one rank with tokens over the maximum', { numTokens: [1, 17] }, null, '/numTokens/1', /at most 16/],
  ['a list of another length than the world', { numTokens: [1, 2] }, 4, '/numTokens', /list of 4/],
  ['rank-major without dedup', { outputLayout: 'rankMajor', dedup: 'off' }, null, '/dedup', /on or auto/],
  ['zero copy where relays sum', { zeroCopy: true, dedup: 'node' }, null, '/zeroCopy', /false/],
  [
    'forwarding without ipc',
    { dedup: 'node', transport: 'network' },
    null,
    '/transport',
    /hybrid with dedup node/,
  ],
  [
    'forwarding without a network',
    { dedup: 'node', transport: 'ipc' },
    null,
    '/transport',
    /hybrid with dedup node/,
  ],
  ['a rounded scale without scales', { roundScale: true }, null, '/roundScale', /fp8_e4m3/],
  ['a key of another routing', { routing: { kind: 'zipf', alpha: 1 } }, null, '/routing/alpha', /zipf/],
  [
    'groups that do not divide the experts',
    { routing: { kind: 'groupLimited', numGroups: 3 } },
    null,
    '/routing/numGroups',
    /divisor of the 16/,
  ],
  [
    'groups too small for the choices',
    { routing: { kind: 'groupLimited', numGroups: 8, topkGroups: 1 } },
    null,
    '/routing/topkGroups',
    /at least numTopk = 4/,
  ],
  [
    'more hot experts than experts',
    { routing: { kind: 'kHot', hotExperts: 17 } },
    null,
    '/routing/hotExperts',
    /at most 16/,
  ],
  ['a routing file without a path', { routing: { kind: 'file' } }, null, '/routing/path', /string/],
  [
    'results of more rows than 32 bits count',
    { maxDispatchTokensPerRank: 1_048_576, numExperts: 65_536 },
    4,
    '/maxDispatchTokensPerRank',
    /rows/,
  ],
];

for (const [name, job, worldSize, pointer, expected] of REFUSED) {
  t.test(`${name} is refused`, async (t) => {
    const issues = moeFaultsOf(job, worldSize);
    t.match(issues, [{ pointer, expected }], JSON.stringify(issues));
  });
}

t.test('a bad line of a routing file is named by its number', async (t) => {
  const folder = t.testdir();
  const bad: readonly [string, string, RegExp][] = [
    ['a.csv', 'layer_id,expert_id,count\n0,1,5\n0,x,5\n', /"0,x,5" \(.*a\.csv:3\)/],
    ['b.csv', 'layer_id,expert_id,count\n0,16,5\n', /16 \(.*b\.csv:2\)/],
    ['c.csv', 'layer_id,expert,count\n', /c\.csv:1\)/],
    ['d.csv', 'layer_id,expert_id,count\n7,1,5\n', /none \(.*d\.csv\)/],
    ['e.jsonl', '[0,1,2,3]\n[0,1,2]\n', /3 ids \(.*e\.jsonl:2\)/],
    ['f.jsonl', '[0,1,2,3]\n\n[0,1,2,16]\n', /16 \(.*f\.jsonl:3\)/],
    ['g.jsonl', '[0,1,1,3]\n', /1 twice \(.*g\.jsonl:1\)/],
    ['h.jsonl', '{"ids":[0]}\n', /h\.jsonl:1\)/],
    ['i.jsonl', '\n', /empty file/],
    ['j.jsonl', '[0,1,2,3]\n[0,1,2,]\n', /"\]" \(.*j\.jsonl:2\)/],
    ['k.txt', 'hello\n', /^a line that is neither: "hello" \(.*k\.txt:1\)/],
    [
      'l.csv',
      `layer_id,expert_id,count\n${[0, 1, 2].map((id) => `0,${id},5\n`).join('')}`,
      /^3 \(.*l\.csv\)/,
    ],
  ];
  for (const [file, text, received] of bad) {
    writeFileSync(join(folder, file), text);
    const issues = moeFaultsOf({ routing: { kind: 'file', path: file } }, null, folder);
    t.match(issues, [{ pointer: '/routing/path', received }], `${file}: ${JSON.stringify(issues)}`);
  }
  const missing = moeFaultsOf({ routing: { kind: 'file', path: 'none.csv' } }, null, folder);
  t.match(missing, [{ pointer: '/routing/path', received: /not found/ }]);
});

t.test('numbers of experts that would do are named', async (t) => {
  t.match(moeFaultsOf({}, 3), [{ hint: 'the nearest are 15 and 18' }]);
  t.match(moeFaultsOf({ numExperts: 4 }, 5), [{ hint: 'the nearest is 5' }]);
});

t.test(
  "routing of a model: what the job leaves open is the model's, where the kind is the same",
  async (t) => {
    const experts = { n_routed_experts: 16, num_experts_per_tok: 4, n_group: 4, topk_group: 2 };
    const folder = t.testdir({
      'config.json': JSON.stringify({ num_hidden_layers: 2, hidden_size: 256, ...experts }),
    });
    const { hidden: _hidden, numTopk: _topk, numExperts: _experts, ...open } = SMALL_JOB;
    const routingOf = (routing: object): unknown =>
      moeSpecOf({ ...open, model: 'config.json', routing }, folder).routing;
    const limited = { kind: 'groupLimited', topkGroups: 3 };
    t.same(routingOf(limited), { ...limited, numGroups: 4, maskedFraction: 0 });
    t.same(routingOf({ kind: 'zipf' }), { kind: 'zipf', exponent: 1, maskedFraction: 0 });
  },
);

t.test('where kinds of routing are swept, keys of one mean nothing to the others', async (t) => {
  const job = { routing: { kind: 'zipf', exponent: 2 }, sweep: { 'routing.kind': ['zipf', 'uniform'] } };
  const { points, issues } = resolveMoeJob(job);
  t.same(issues, []);
  t.same(
    points.map(({ spec }) => spec['routing']),
    [
      { kind: 'zipf', maskedFraction: 0, exponent: 2 },
      { kind: 'uniform', maskedFraction: 0 },
    ],
  );
});

t.test('defaults are those of the documentation', async (t) => {
  t.match(moeSpec(), {
    ...SMALL_JOB,
    iterations: 200,
    dispatchDtype: 'bf16',
    outputLayout: 'expertMajor',
    phases: 'fused',
    dedup: 'auto',
    transport: 'hybrid',
    routing: { kind: 'uniform', maskedFraction: 0 },
  });
  t.match(moeSpec({ routing: { kind: 'powerLaw' } }).routing, { alpha: 1.01 });
});
