import t from 'tap';
import type { KvSpec } from '../../../../jobs/kv/spec.generated.js';
import { brief, jobIssues, specOfJob, offloadJob } from '../../../runner/job-spec/spec-fixture.js';

function layoutOf(model: string, keys: Record<string, unknown> = {}, files: Record<string, string> = {}) {
  const layout = { kind: 'fullyContiguous', model, pageSize: 32, ...keys };
  return specOfJob<KvSpec>(offloadJob({ layout }), {}, files).layout;
}

t.test('tensor parallel splits heads, at least one each; a latent is whole on every rank', async (t) => {
  t.equal(layoutOf('llama-3.1-70b', { tensorParallel: 4 }).innerDim, 256);
  t.equal(layoutOf('llama-3.1-70b', { tensorParallel: 16 }).innerDim, 128);
  t.equal(layoutOf('deepseek-r1', { tensorParallel: 8 }).innerDim, 576);
  const layout = { kind: 'fullyContiguous', model: 'llama-3.1-70b', pageSize: 32, tensorParallel: 3 };
  t.match(jobIssues(offloadJob({ layout })), [
    { pointer: '/jobs/0/layout/tensorParallel', expected: /8 KV heads/ },
  ]);
});

t.test('a model of several shapes has groups; one of them is a layout of its own', async (t) => {
  t.match(layoutOf('gpt-oss-20b').groups, [
    { name: 'window', window: 128, kvHeads: 8 },
    { name: 'full', window: null, kvHeads: 8 },
  ]);
  t.match(layoutOf('gpt-oss-20b', { group: 'full', tensorParallel: 8 }), { numLayers: 12, innerDim: 64 });
  const layout = { kind: 'fullyContiguous', model: 'gpt-oss-20b', pageSize: 32, group: 'latent' };
  t.match(jobIssues(offloadJob({ layout })), [{ pointer: '/jobs/0/layout/group', expected: /window, full/ }]);
  const shapes = { num_hidden_layers: 9, num_attention_heads: 720, hidden_size: 46_080 };
  const heads = [1, 2, 3, 4, 5, 6, 8, 9, 10];
  const many = { 'many.json': JSON.stringify({ ...shapes, num_key_value_heads_per_layer: heads }) };
  t.match(jobIssues(offloadJob({ layout: { model: 'many.json' } }), {}, many), [
    {
      pointer: '/jobs/0/layout/model',
      expected: 'at most 8 groups of layers',
      received: /^9: full-1x64, full-2x64, /,
      hint: 'take one by `group`',
    },
  ]);
  t.match(layoutOf('many.json', { group: 'full-5x64' }, many), { numLayers: 1, innerDim: 320 });
});

t.test('layers of multi-token prediction count where mtp says so', async (t) => {
  t.equal(layoutOf('deepseek-r1').numLayers, 61);
  t.equal(layoutOf('deepseek-r1', { mtp: true }).numLayers, 62);
});

t.test('an 8-bit cache of the file is planned with 1 byte, and dtypeWidthBytes by hand wins', async (t) => {
  const config = {
    model_type: 'llama',
    num_hidden_layers: 4,
    num_attention_heads: 16,
    hidden_size: 2048,
    quantization_config: { kv_cache_scheme: { num_bits: 8, type: 'float' } },
  };
  const files = { 'eight.json': JSON.stringify(config) };
  t.match(layoutOf('eight.json', {}, files), { innerDim: 2048, dtypeWidthBytes: 1 });
  t.match(layoutOf('eight.json', { dtypeWidthBytes: 2 }, files), { innerDim: 2048, dtypeWidthBytes: 2 });
});

t.test('a config.json next to the spec', async (t) => {
  const config = JSON.stringify({ num_hidden_layers: 4, num_attention_heads: 16, hidden_size: 2048 });
  t.match(layoutOf('tiny.json', {}, { 'tiny.json': config }), { numLayers: 4, outerDim: 2, innerDim: 2048 });
  const layout = (model: string) => ({ kind: 'fullyContiguous', model, pageSize: 32 });
  t.match(brief(jobIssues(offloadJob({ layout: layout('./none.json') }))), [/none.json", not found/]);
  t.match(brief(jobIssues(offloadJob({ layout: layout('bad.json') }), {}, { 'bad.json': '{' })), [
    /not JSON/,
  ]);
});

t.test('a layout is dimensions or a model, not both and not neither', async (t) => {
  const both = { kind: 'fullyContiguous', model: 'qwen3-8b', pageSize: 32, numLayers: 3 };
  t.match(brief(jobIssues(offloadJob({ layout: both }))), ['/jobs/0/layout/numLayers: 3']);
  const neither = { kind: 'fullyContiguous', pageSize: 32, tensorParallel: 2 };
  t.same(brief(jobIssues(offloadJob({ layout: neither }))), [
    '/jobs/0/layout/tensorParallel: 2',
    '/jobs/0/layout/numLayers: nothing',
    '/jobs/0/layout/outerDim: nothing',
    '/jobs/0/layout/innerDim: nothing',
  ]);
});
