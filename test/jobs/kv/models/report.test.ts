/** What `railrunner model` says of a file: what each group keeps, which layers keep nothing, bytes for a context. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { reportModel } from '../../../../jobs/kv/models/report.js';
import { readMoeShape } from '../../../../jobs/kv/models/moe-shape.js';
import type { ModelQuestion } from '../../../../runner/job/model-report.js';
import { plain } from './deciding-keys.js';

function reportOf(t: Test, config: object, quantFile?: string, changes: Partial<ModelQuestion> = {}): string {
  const folder = t.testdir();
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...plain, num_key_value_heads: 2, ...config }));
  if (quantFile !== undefined) writeFileSync(join(folder, 'hf_quant_config.json'), quantFile);
  const question = {
    model: folder,
    tensorParallel: 1,
    pageSize: null,
    contextTokens: 1000,
    json: false,
    ...changes,
  };
  const report = reportModel(question);
  return 'text' in report ? report.text : report.refusal;
}

t.test('states have a size of their own, whatever the context', async (t) => {
  const mamba = { mamba_num_heads: 4, mamba_head_dim: 8, ssm_state_size: 16, n_groups: 1, conv_kernel: 4 };
  const text = reportOf(t, { model_type: 'nemotron_h', hybrid_override_pattern: 'M*-M', ...mamba });
  // Two layers of 4 x 8 x 16 elements and 4 values of each of 4 x 8 + 2 x 16 channels, 2 bytes each.
  t.match(text, /state +2: 0, 3 +1536 state elements +3 KiB/);
  t.match(text, /full +1: 1 +K and V of 2 heads x 64, 2 B +512 +500 KiB/);
  t.match(text, /context +515072 bytes for 1000 tokens/);
  t.match(text, /note: layer 2 keeps no KV of its own: -/);
});

t.test('latents, index keys and entries that stand for several tokens', async (t) => {
  const latent = { model_type: 'deepseek_v32', kv_lora_rank: 512, qk_rope_head_dim: 64, index_head_dim: 128 };
  t.match(
    reportOf(t, latent),
    /latent +4: 0-3 +one vector of 576, 2 B[^]*index keys of 128 \+ 4 B scale, 1 B +528/,
  );
  const sparse = reportOf(t, { indexer_head_dim: 32, indexer_compress_ratio: 4 });
  t.match(sparse, /index +4: 0-3 +index keys of 32, 2 B +64 +62\.5 KiB/, '4 layers of 64 bytes for 4 tokens');
});

t.test('sizes of the states of each family, where the file says them all', async (t) => {
  const words = { layer_types: ['linear_attention', 'full_attention', 'full_attention', 'full_attention'] };
  const kimi = { linear_num_heads: 2, linear_head_dim: 8, linear_conv_kernel_dim: 4 };
  // 2 x 8 x 8 and the last 4 inputs of 3 x 2 x 8 channels.
  t.match(reportOf(t, { ...words, ...kimi }), /state +1: 0 +320 state elements +640 B/);
  // The last 3 inputs of each of 512 channels.
  t.match(reportOf(t, { ...words, model_type: 'lfm2', conv_L_cache: 3 }), /state +1: 0 +1536 state elements/);
  const { linear_head_dim: _, ...less } = kimi;
  t.match(reportOf(t, { ...words, ...less }), /state +1: 0 +a state of unknown size +0 B/);
});

t.test('entries beyond a window, and without a context none', async (t) => {
  const compressing = {
    model_type: 'deepseek_v4',
    num_hidden_layers: 2,
    num_key_value_heads: 1,
    head_dim: 512,
    sliding_window: 128,
    index_head_dim: 128,
    compress_ratios: [0, 4],
  };
  const text = reportOf(t, compressing);
  t.match(text, /window +1: 0 +one vector of 512, 2 B, nothing beyond +128 +1024 +128 KiB/);
  // 128 fresh entries and one for each 4 of 1000 tokens, 1024 bytes each.
  t.match(text, /compressed-4 +1: 1 +one vector of 512, 2 B, one for 4 tokens beyond +128 +1024 +378 KiB/);
  const bare = reportOf(t, compressing, undefined, { contextTokens: null, pageSize: 16 });
  t.notMatch(bare, /1000 tokens|KiB/);
  t.match(bare, /window +1: 0 .* +128 +1024 +16384$/m, 'of 16 tokens and a layer');
  t.match(bare, /index +1: 1 .* +64 +1024$/m, 'a key for 4 of them');
  const hybrid = { layer_types: ['mamba', 'full_attention', 'full_attention', 'full_attention'] };
  const pages = reportOf(
    t,
    { ...hybrid, model_type: undefined, num_key_value_heads: 1, v_head_dim: 32 },
    undefined,
    {
      contextTokens: null,
      pageSize: 16,
    },
  );
  t.match(pages, /: no model_type, 4 layers/);
  t.match(pages, /state +1: 0 +a state of unknown size *$/m, 'a state has no bytes per token');
  t.match(pages, /full +3: 1-3 +K and V of 1 head x K 64, V 32, 2 B/);
});

t.test('many layers that do not follow each other are cut short', async (t) => {
  const layer_types = Array.from({ length: 24 }, (_, layer) => (layer % 2 === 0 ? 'full_attention' : 'mlp'));
  const text = reportOf(t, { num_hidden_layers: 24, layer_types });
  t.match(text, /full +12: 0, 2, 4, 6, 8, 10, 12, 14, \.\.\. \(12 in all\)/);
  t.match(text, /note: layers 1, 3, 5, 7, 9, 11, 13, 15, \.\.\. \(12 in all\) keep no KV of their own: mlp/);
});

t.test('a file next to the model that is none, and groups of experts that cannot be', async (t) => {
  t.match(reportOf(t, {}, '[]'), /a JSON object in hf_quant_config\.json[^]*\[\]/);
  const experts = { n_routed_experts: 256, num_experts_per_tok: 8, n_group: 4, topk_group: 5 };
  t.throws(() => readMoeShape({ ...plain, ...experts }), { message: /topk_group = 5/ });
});
