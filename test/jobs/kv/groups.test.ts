/** Layouts of several groups of layers: hand-computed bytes, tensor parallelism, windows in a trace, bad input. */
import t from 'tap';
import type { KvSpec } from '../../../jobs/kv/spec.generated.js';
import { blockBytes, regionGroups } from '../../../jobs/kv/layout.js';
import { planKv } from '../../../jobs/kv/plan.js';
import { sectionsOf, windowBlocks } from '../../../jobs/kv/sections.js';
import { DEEPSEEK_V32, GEMMA_27B, MIMO_FLASH, SMALL } from '../../helpers/group-layouts.js';
import { jobIssues, specOfJob, offloadJob } from '../../runner/job-spec/spec-fixture.js';

type Json = Readonly<Record<string, unknown>>;
const PLACE = { worldSize: 4, rank: 0, ranksPerNode: 4, device: 'host' } as const;

function specOf(job: Json, files: Record<string, string> = {}): KvSpec {
  return specOfJob<KvSpec>(offloadJob(job), {}, files);
}

function layoutOf(groups: readonly Json[], keys: Json = {}): KvSpec['layout'] {
  return specOf({ layout: { kind: 'fullyContiguous', pageSize: 16, groups, ...keys } }).layout;
}

/** Bytes of a token: all that is fresh, and what stays beyond every window. */
function tokenBytes(groups: readonly Json[], keys: Json = {}): number[] {
  const layout = layoutOf(groups, keys);
  const all = regionGroups(layout);
  const old = all.filter(({ window }) => window === null);
  return [blockBytes(all) / layout.pageSize, blockBytes(old) / layout.pageSize];
}

t.test('bytes of published models, worked out by hand', async (t) => {
  t.same(tokenBytes(GEMMA_27B), [507_904, 81_920], '62 and 10 layers x 2 x 16 x 128 x 2');
  t.same(tokenBytes(MIMO_FLASH), [222_720, 23_040], '39 x 8 and 9 x 4 heads x (192 + 128) x 2');
  t.same(tokenBytes(DEEPSEEK_V32), [78_324, 78_324], '61 x 576 x 2 + 61 x 132');
  const sizes = regionGroups(layoutOf(MIMO_FLASH)).map(({ regionBytes }) => regionBytes);
  t.same(sizes, [
    [24_576, 16_384],
    [49_152, 32_768],
  ]);
});

t.test('one group of equal regions is a layout as written by dimensions', async (t) => {
  const layout = layoutOf(SMALL['fullAndNone'] ?? []);
  t.match(layout, { numLayers: 2, outerDim: 2, innerDim: 64, groups: undefined });
  const taken = layoutOf(DEEPSEEK_V32, { group: 'latent' });
  t.match(taken, { numLayers: 61, outerDim: 1, innerDim: 576, group: 'latent', groups: undefined });
  const index = layoutOf(DEEPSEEK_V32, { group: 'index' });
  t.match(index, { numLayers: 61, outerDim: 1, innerDim: 132, dtypeWidthBytes: 1 });
});

t.test('tensor parallelism goes by group: N shards are the whole and what is replicated', async (t) => {
  t.same(tokenBytes(GEMMA_27B, { tensorParallel: 8 }), [507_904 / 8, 81_920 / 8]);
  // 4 KV heads of full on 8 ranks: one head each, held twice; the windows' 8 heads are split.
  t.same(tokenBytes(MIMO_FLASH, { tensorParallel: 8 }), [(9 + 39) * 320 * 2, 9 * 320 * 2]);
  t.same(tokenBytes(DEEPSEEK_V32, { tensorParallel: 8 }), [78_324, 78_324], 'whole on every rank');
  const layout = { kind: 'fullyContiguous', pageSize: 16, groups: MIMO_FLASH, tensorParallel: 3 };
  t.match(jobIssues(offloadJob({ layout })), [
    { pointer: '/jobs/0/layout/tensorParallel', expected: /group full's 4 KV heads/, received: '3' },
  ]);
});

/** Requests of 40 and 100 tokens that share nothing: pages of 16 tokens, hash ids for 32. */
const TRACE = [
  { timestamp: 0, input_length: 40, output_length: 1, hash_ids: [0, 1] },
  { timestamp: 1, input_length: 128, output_length: 1, hash_ids: [2, 3, 4, 5] },
]
  .map((line) => JSON.stringify(line))
  .join('\n');

function traced(changes: Json = {}): KvSpec {
  const job = {
    layout: { kind: 'fullyContiguous', pageSize: 16, groups: SMALL['fullAndWindow'] },
    order: 'trace',
    trace: { path: 'small.jsonl', blockTokens: 32 },
    pools: { deviceBlocks: 64, hostBlocks: 64 },
    ...changes,
  };
  const { blocks: _, ...rest } = offloadJob(job) as Json & { blocks: number };
  const given = { ...rest, ...('blocks' in changes ? { blocks: changes['blocks'] } : {}) };
  return specOfJob<KvSpec>(given, {}, { 'small.jsonl': TRACE });
}

t.test('with a trace, a group keeps the blocks of its window and no others', async (t) => {
  t.equal(windowBlocks(40, 16), 4);
  t.equal(windowBlocks(1024, 16), 65);
  const spec = traced();
  // 4 and 8 pages; the window keeps 4 of each request.
  t.equal(spec.blocks, 12);
  t.same(spec.trace?.groupBlocks, { window: 8 });
  const sections = sectionsOf(spec, 'device');
  t.match(sections, [
    { numBlocks: 64, firstBlock: 0, windowBlocks: null },
    { numBlocks: 8, firstBlock: 64, windowBlocks: 4 },
  ]);
  const [full, window] = sections.map(({ groups }) => blockBytes(groups));
  t.equal(full, 2 * 2 * 2 * 32 * 2 * 16, '2 layers x K and V x 2 heads x 32 x 2 bytes x 16 tokens');
  t.equal(window, 4 * 2 * 4 * 32 * 2 * 16);
  const plan = planKv(spec, PLACE);
  t.equal(plan.payloadBytes, 12 * (full ?? 0) + 8 * (window ?? 0));
  t.equal(plan.memoryBytes.device, 64 * (full ?? 0) + 8 * (window ?? 0));
  t.match(plan.details, {
    block_bytes: (full ?? 0) + (window ?? 0),
    block_bytes_beyond_window: full,
    blocks: 12,
    blocks_of_window: '8 (4 per request)',
    geometry: '"2 full of 2 x 2 x 32, 4 window 40 of 2 x 4 x 32"',
  });
});

t.test('two directions share out the blocks of both sections', async (t) => {
  const spec = traced({ bidirectional: true, from: 'device', to: 'host', blocks: 5 });
  t.same(spec.trace?.groupBlocks, { window: 6 }, '4 of the first request, pages 4 and 5 of 8 of the second');
  const [full, window] = sectionsOf(spec, 'device').map(({ groups }) => blockBytes(groups));
  t.equal(planKv(spec, PLACE).payloadBytes, 10 * (full ?? 0) + 6 * (window ?? 0));
});

t.test('groups in bad shape are refused by pointer', async (t) => {
  const kv = { kvHeads: 2, headDimK: 32 };
  const full = { name: 'full', layers: [0, 1], ...kv };
  const cases: [readonly Json[], string, RegExp, Json?][] = [
    [[full, { ...full, name: 'b', layers: [1, 2] }], '/groups/1/layers', /group full has 1/],
    [
      [full, { name: 'l', kind: 'latent', layers: [0, 2], headDimK: 8 }],
      '/groups/1/layers',
      /group full has 0/,
    ],
    [[full, { ...full, name: 'b', layers: [4] }], '/groups', /every layer from 0 to 4/],
    [[full, { ...full, layers: [2] }], '/groups/1/name', /no other group/],
    [[{ ...full, layers: [1, 0] }], '/groups/0/layers', /ascending/],
    [[{ ...full, layers: '0-1,1' }], '/groups/0/layers', /ascending/],
    [[{ ...full, layers: '3-2' }], '/groups/0/layers', /ascending/],
    [[{ ...full, layers: [65_536] }], '/groups/0/layers', /./],
    [[{ ...full, window: -1 }], '/groups/0/window', /./],
    [[{ ...full, kvHeads: 0 }], '/groups/0/kvHeads', />= 1 with kind kv/],
    [[{ name: 'a', layers: [0] }], '/groups/0/kvHeads', />= 1/],
    [[{ ...full, kind: 'latent' }], '/groups/0/kvHeads', /1 with kind latent/],
    [
      [{ name: 'l', layers: [0], kind: 'latent', headDimK: 8, headDimV: 8 }],
      '/groups/0/headDimV',
      /0 with kind latent/,
    ],
    [[full], '/mtp', /nothing without model/, { mtp: true }],
    [[full], '/groups', /omitted where `model` is set/, { model: 'llama-3.1-8b' }],
    [
      [{ ...full, kvHeads: 1, window: 16, compression: { how: 'aged', ratio: 4 } }],
      '/groups',
      /the same bytes for each of their tokens/,
    ],
    [[{ ...full, bytesPerToken: 500 }], '/groups/0/bytesPerToken', /^512,/],
    [Array.from({ length: 9 }, (_, at) => ({ ...full, name: `g${at}`, layers: [at] })), '/groups', /8/],
    [[{ name: 'state', layers: [0], kind: 'state' }], '/groups', /for each token/],
    [[full], '/group', /full/, { group: 'ful' }],
    [[full], '/numLayers', /omitted where `groups` is set/, { numLayers: 2 }],
    [
      [full, { name: 'odd', layers: [2], kvHeads: 1, headDimK: 3 }],
      '/pageSize',
      /multiple of 4/,
      { pageSize: 1 },
    ],
    [[{ ...full, compression: { how: 'pooled', ratio: 3 } }], '/pageSize', /multiple of 3/],
  ];
  for (const [groups, pointer, expected, keys] of cases) {
    const layout = { kind: 'fullyContiguous', pageSize: 16, groups, ...keys };
    const issues = jobIssues(offloadJob({ layout }));
    const name = `${JSON.stringify(groups).slice(0, 100)} ${JSON.stringify(issues[0])}`;
    t.equal(issues[0]?.pointer, `/jobs/0/layout${pointer}`, name);
    t.match(issues[0]?.expected, expected, name);
  }
  const plain = { kind: 'fullyContiguous', pageSize: 16, numLayers: 1, outerDim: 1, innerDim: 1 };
  for (const [key, value] of Object.entries({ group: 'full', mtp: true })) {
    const issues = jobIssues(offloadJob({ layout: { ...plain, [key]: value } }));
    t.match(issues, [{ pointer: `/jobs/0/layout/${key}`, expected: /nothing without model/ }]);
  }
});

t.test('tiers take the groups of the device, or must have equal ones', async (t) => {
  const layout = { kind: 'layerSeparate', pageSize: 16, groups: SMALL['unequalKAndV'] };
  const spec = specOf({ layout, hostLayout: { kind: 'fullyContiguous' } });
  t.same(regionGroups(spec.hostLayout), regionGroups(spec.layout));
  t.match(jobIssues(offloadJob({ layout, hostLayout: { pageSize: 8 } })), [
    { pointer: '/jobs/0/hostLayout', received: /4 layers x 1536 and 1024 bytes/ },
  ]);
  t.match(jobIssues(offloadJob({ layout, hostLayout: { dtypeWidthBytes: 1 } })), [
    { pointer: '/jobs/0/hostLayout/dtypeWidthBytes' },
  ]);
});

t.test('a hybrid model runs as it is, and by one of its groups', async (t) => {
  const config = JSON.stringify({
    model_type: 'gemma3_text',
    num_hidden_layers: 12,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 32,
    hidden_size: 256,
    sliding_window: 64,
    sliding_window_pattern: 6,
  });
  const layout = { kind: 'fullyContiguous', pageSize: 16, model: 'm.json' };
  const whole = specOf({ layout }, { 'm.json': config }).layout;
  t.equal(blockBytes(regionGroups(whole)), 12 * 2 * 4 * 32 * 2 * 16);
  t.same(
    whole.groups?.map(({ layers, window }) => [layers.length, window]),
    [
      [10, 64],
      [2, null],
    ],
  );
  const one = specOf({ layout: { ...layout, group: 'full' } }, { 'm.json': config }).layout;
  t.match(one, { numLayers: 2, outerDim: 2, innerDim: 128, groups: undefined });
});

t.test('the sum over groups is the whole, and shards are the whole with what is replicated', async (t) => {
  for (const [name, groups] of Object.entries({ ...SMALL, GEMMA_27B, MIMO_FLASH, DEEPSEEK_V32 })) {
    const kept = groups.filter(({ kind }) => kind !== 'state');
    const [whole = 0] = tokenBytes(groups);
    const parts = kept.map((group) => tokenBytes(groups, { group: group['name'] })[0] ?? 0);
    t.equal(
      parts.reduce((sum, bytes) => sum + bytes, 0),
      whole,
      name,
    );
    for (const tensorParallel of [2, 4, 16]) {
      const shards = kept.map((group) => {
        const heads = group['kind'] === undefined ? Number(group['kvHeads']) : 1;
        return Math.max(1, heads / tensorParallel) / heads;
      });
      const expected = parts.reduce((sum, bytes, at) => sum + bytes * (shards[at] ?? 0), 0);
      t.equal(tokenBytes(groups, { tensorParallel })[0], expected, `${name} on ${tensorParallel} ranks`);
    }
  }
});

t.test('a prompt of 32 k tokens of Gemma-3-27B moves what an engine still holds of it', async (t) => {
  const tokens = 32_768;
  const hashIds = Array.from({ length: tokens / 512 }, (_, at) => at);
  const line = { timestamp: 0, input_length: tokens, output_length: 1, hash_ids: hashIds };
  const { blocks: _, ...job } = offloadJob({
    layout: { kind: 'fullyContiguous', pageSize: 16, groups: GEMMA_27B },
    order: 'trace',
    trace: { path: 'long.jsonl', blockTokens: 512 },
    pools: { deviceBlocks: 2048, hostBlocks: 2048 },
  }) as Json & { blocks: number };
  const spec = specOfJob<KvSpec>(job, {}, { 'long.jsonl': JSON.stringify(line) });
  t.same([spec.blocks, spec.trace?.groupBlocks], [2048, { window: 65 }]);
  t.equal(planKv(spec, PLACE).payloadBytes, tokens * 81_920 + 65 * 16 * (507_904 - 81_920));
});
