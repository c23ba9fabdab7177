import t from 'tap';
import { blockBytes, regionGroups } from '../../../jobs/kv/layout.js';
import { modelPresets, shapeOfConfig } from '../../../jobs/kv/models.js';
import type { KvSpec } from '../../../jobs/kv/kv-spec.js';
import { brief, jobFaults, loadJob, offloadJob } from '../../runner/job-spec/spec-fixture.js';

function layoutOf(model: string, keys: Record<string, unknown> = {}, files: Record<string, string> = {}) {
  const layout = { kind: 'fullyContiguous', model, pageSize: 32, ...keys };
  const [point] = loadJob(offloadJob({ layout }), {}, files).points;
  if (point === undefined) throw new Error('no point');
  return (point.spec as unknown as KvSpec).layout;
}

t.test("every preset's bytes a token and a region, as published", async (t) => {
  // Bytes of a token over all layers, and of a region of 32 tokens, at 2 bytes an element.
  const published: Record<string, [number, number]> = {
    'llama-3.1-8b': [131_072, 65_536],
    'llama-3.1-70b': [327_680, 65_536],
    'llama-3.1-405b': [516_096, 65_536],
    'qwen3-8b': [147_456, 65_536],
    'qwen3-32b': [262_144, 65_536],
    'qwen3-30b-a3b': [98_304, 32_768],
    'qwen3-235b-a22b': [192_512, 32_768],
    'qwen3-coder-480b-a35b': [253_952, 65_536],
    'mixtral-8x7b': [131_072, 65_536],
    'mixtral-8x22b': [229_376, 65_536],
    'gpt-oss-120b': [73_728, 32_768],
    'gpt-oss-20b': [49_152, 32_768],
    'minimax-m2.5': [253_952, 65_536],
    'deepseek-v3': [70_272, 36_864],
    'deepseek-r1': [70_272, 36_864],
    'deepseek-v3.2': [70_272, 36_864],
    'kimi-k2': [70_272, 36_864],
    'kimi-k2.5': [70_272, 36_864],
    'glm-5': [89_856, 36_864],
  };
  t.same(Object.keys(modelPresets()).sort(), Object.keys(published).sort());
  for (const [model, [tokenBytes, regionBytes]] of Object.entries(published)) {
    const groups = regionGroups(layoutOf(model));
    t.same([blockBytes(groups), groups[0]?.regionBytes[0]], [32 * tokenBytes, regionBytes], model);
  }
});

t.test('tensor parallel splits heads, at least one each; a latent is whole on every rank', async (t) => {
  t.equal(layoutOf('llama-3.1-70b', { tensorParallel: 4 }).innerDim, 256);
  t.equal(layoutOf('llama-3.1-70b', { tensorParallel: 16 }).innerDim, 128);
  t.equal(layoutOf('deepseek-r1', { tensorParallel: 8 }).innerDim, 576);
  const layout = { kind: 'fullyContiguous', model: 'llama-3.1-70b', pageSize: 32, tensorParallel: 3 };
  t.match(jobFaults(offloadJob({ layout })), [
    { pointer: '/jobs/0/layout/tensorParallel', expected: /8 KV heads/ },
  ]);
});

t.test('Hugging Face config.json: GQA, MHA, MLA, a model inside a model', async (t) => {
  const heads = { num_hidden_layers: 4, num_attention_heads: 16, hidden_size: 2048 };
  t.match(shapeOfConfig({ ...heads, num_key_value_heads: 2 }), { shape: { numKvHeads: 2, headDim: 128 } });
  t.match(shapeOfConfig({ ...heads, num_key_value_heads: 2, head_dim: 64 }), { shape: { headDim: 64 } });
  t.match(shapeOfConfig(heads), { shape: { attention: 'gqa', numKvHeads: 16 } });
  t.match(shapeOfConfig({ vision_config: {}, text_config: heads }), { shape: { numLayers: 4 } });
  const latent = { num_hidden_layers: 61, kv_lora_rank: 512, qk_rope_head_dim: 64, num_attention_heads: 128 };
  t.match(shapeOfConfig(latent), { shape: { attention: 'mla', kvLoraRank: 512 } });
  t.match(shapeOfConfig({ ...latent, qk_rope_head_dim: 0 }), { received: 'qk_rope_head_dim = 0' });
  t.match(shapeOfConfig({ ...heads, hidden_size: 2049 }), { received: /2049|128\.06/ });
  t.match(shapeOfConfig({ layers: 3 }), { received: /num_hidden_layers = nothing/ });
});

t.test('a config.json beside the spec', async (t) => {
  const config = JSON.stringify({ num_hidden_layers: 4, num_attention_heads: 16, hidden_size: 2048 });
  t.match(layoutOf('tiny.json', {}, { 'tiny.json': config }), { numLayers: 4, outerDim: 2, innerDim: 2048 });
  const layout = (model: string) => ({ kind: 'fullyContiguous', model, pageSize: 32 });
  t.match(brief(jobFaults(offloadJob({ layout: layout('./none.json') }))), [/none.json", not found/]);
  t.match(brief(jobFaults(offloadJob({ layout: layout('bad.json') }), {}, { 'bad.json': '{' })), [
    /which is not JSON/,
  ]);
});

t.test('a layout is dimensions or a model, not both and not neither', async (t) => {
  const both = { kind: 'fullyContiguous', model: 'qwen3-8b', pageSize: 32, numLayers: 3 };
  t.match(brief(jobFaults(offloadJob({ layout: both }))), ['/jobs/0/layout/numLayers: 3']);
  const neither = { kind: 'fullyContiguous', pageSize: 32, tensorParallel: 2 };
  t.same(brief(jobFaults(offloadJob({ layout: neither }))), [
    '/jobs/0/layout/tensorParallel: 2',
    '/jobs/0/layout/numLayers: nothing',
    '/jobs/0/layout/outerDim: nothing',
    '/jobs/0/layout/innerDim: nothing',
  ]);
});
