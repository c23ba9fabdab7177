/** Groups of layers in words, and groups whose windows requests of a trace outgrow. */
import t from 'tap';
import { geometryOf } from '../../../jobs/kv/details.js';
import { planKv } from '../../../jobs/kv/plan.js';
import { sectionsOf } from '../../../jobs/kv/sections.js';
import type { KvSpec } from '../../../jobs/kv/spec.generated.js';
import { DEEPSEEK_V32, SMALL } from '../../helpers/group-layouts.js';
import { jobIssues, offloadJob, specOfJob } from '../../runner/job-spec/spec-fixture.js';

type Json = Readonly<Record<string, unknown>>;
const PLACE = { worldSize: 1, rank: 0, ranksPerNode: 1, device: 'host' } as const;
const kv = { kvHeads: 2, headDimK: 32 };

t.test('what a layout keeps for a token, in words', async (t) => {
  const cases: [readonly Json[], string, Json?][] = [
    [DEEPSEEK_V32, '61 layers of latent of 1 x 576 (1152 B per token)', { group: 'latent' }],
    [DEEPSEEK_V32, '61 latent of 576, 61 index of 128 + 4 B'],
    [
      [
        { name: 'K', layers: [0], kvHeads: 2, headDimK: 32, headDimV: 0 },
        {
          name: 'sparse',
          layers: [0],
          kind: 'index',
          headDimK: 64,
          compression: { how: 'pooled', ratio: 4 },
        },
      ],
      '1 K of 2 x 32, 1 sparse (index) of 64 for 4 tokens',
    ],
  ];
  for (const [groups, words, keys] of cases) {
    const { layout } = specOfJob<KvSpec>(offloadJob({ layout: { pageSize: 16, groups, ...keys } }));
    t.equal(geometryOf(layout), words);
  }
});

t.test('a state cannot be taken, and long lists of layers are cut', async (t) => {
  const issuesOf = (layout: Json): unknown => jobIssues(offloadJob({ layout: { pageSize: 16, ...layout } }));
  t.match(issuesOf({ groups: SMALL['fullAndNone'], group: 'linear' }), [
    { pointer: '/jobs/0/layout/group', hint: 'a state is kept once per sequence, not in blocks' },
  ]);
  const twice = ['a', 'b'].map((name) => ({ name, layers: '0-9', ...kv }));
  t.match(issuesOf({ groups: twice }), [
    { pointer: '/jobs/0/layout/groups/1/layers', received: 'layers 0, 1, 2, 3, 4, 5, 6, 7, ... (10 layers)' },
  ]);
});

/** A request of 128 tokens: 8 pages of 16. */
const TRACE = '{"timestamp": 0, "input_length": 128, "output_length": 1, "hash_ids": [1, 2, 3, 4]}';
const BOTH = [
  { name: 'short', layers: [0], ...kv, window: 20 },
  { name: 'long', layers: [1], ...kv, window: 40 },
];

function traced(layout: Json): Json {
  return offloadJob({
    layout: { pageSize: 16, ...layout },
    order: 'trace',
    trace: { path: 't', blockTokens: 32 },
    pools: { deviceBlocks: 32, hostBlocks: 32 },
    blocks: undefined,
  });
}

t.test('where no group keeps everything, the longest window comes first', async (t) => {
  const spec = specOfJob<KvSpec>(traced({ groups: BOTH }), {}, { t: TRACE });
  const words = sectionsOf(spec, 'device').map(({ groups, windowBlocks, numBlocks, firstBlock }) => {
    return [groups.map(({ name }) => name), windowBlocks, numBlocks, firstBlock];
  });
  t.same(words, [
    [['long'], 4, 32, 0],
    [['short'], 3, 3, 32],
  ]);
  const plan = planKv(spec, PLACE);
  t.match(plan.details, { blocks: 4, blocks_per_request: 4, blocks_of_short: '3 (3 per request)' });
  t.equal(plan.payloadBytes, (4 + 3) * 2 * 2 * 32 * 2 * 16, 'K and V of 2 heads x 32 x 2 bytes x 16 tokens');
});

t.test('tiers of a trace keep the same windows', async (t) => {
  const [short, long] = BOTH;
  const hostLayout = { groups: [short, { ...long, window: null }] };
  const issues = jobIssues({ ...traced({ groups: BOTH }), hostLayout }, {}, { t: TRACE });
  t.match(issues, [
    {
      pointer: '/jobs/0/hostLayout',
      expected: /1 layers x 2 x 2048 bytes in a window of 20, 1 layers x 2 x 2048 bytes in a window of 40$/,
      received: /in a window of 20, 1 layers x 2 x 2048 bytes$/,
    },
  ]);
  const whole = specOfJob<KvSpec>(offloadJob({ layout: { pageSize: 16, groups: BOTH }, hostLayout }));
  t.equal(sectionsOf(whole, 'host').length, 1, 'without a trace, every block has all groups');
});
