/** What is wrong with one key of a config.json -> the words that name it. */
import { plain as withoutGroups } from './deciding-keys.js';

const plain = { ...withoutGroups, num_key_value_heads: 2 };
const indexed = {
  ...withoutGroups,
  model_type: 'deepseek_v32',
  kv_lora_rank: 512,
  qk_rope_head_dim: 64,
  index_head_dim: 128,
};
const windowInOne = {
  ...plain,
  sliding_window: 16,
  layer_types: ['full_attention', 'sliding_attention', 'full_attention', 'full_attention'],
};
const blocks = (attention: object): object => ({
  ...plain,
  block_configs: Array.from({ length: 4 }, () => ({ attention })),
});

export const REFUSED_KEYS: readonly (readonly [string, unknown, RegExp])[] = [
  ['a flag of 2', { ...plain, hybrid_layer_pattern: [0, 1, 2, 0] }, /0 or 1 .*hybrid_layer_pattern \| 2/],
  ['a ratio of 5', { ...plain, compress_ratios: [0, 4, 5, 0] }, /0, 4 and 128 under compress_ratios \| 5/],
  [
    'letters for two layers',
    { ...plain, hybrid_override_pattern: 'M*' },
    /4 letters, .* \| 2 letters in "M\*"/,
  ],
  [
    'an offset of a whole period',
    { ...plain, attn_layer_period: 2, attn_layer_offset: 2 },
    /below the period \| attn_layer_offset = 2 with attn_layer_period = 2/,
  ],
  [
    'a layer in both lists',
    { ...plain, linear_attn_config: { full_attn_layers: [1], kda_layers: [1, 2, 3] } },
    /1 in full_attn_layers, 3 in kda_layers of 4 layers/,
  ],
  [
    'layers that are no list',
    { ...plain, cross_attention_layers: 3 },
    /different layers, 0 to 3, .* \| 3 \|/,
  ],
  ['a layer twice', { ...plain, full_attn_idxs: [1, 1] }, /different layers, 0 to 3, .* \| 1 in \[1,1\]/],
  [
    'a tile that is no list',
    { ...plain, block_types: 'attention' },
    /a list under block_types \| "attention"/,
  ],
  [
    'an unknown letter',
    { ...plain, sliding_window: 16, sliding_window_pattern: 'LX' },
    /L \(window\).* \| "LX"/,
  ],
  [
    'two windows',
    { ...plain, model_type: 'mistral', sliding_window: 16, window_size: 32 },
    /one window \| window_size = 32 together with a window of 16/,
  ],
  [
    'an unknown indexer',
    { ...indexed, indexer_types: ['full', 'full', 'odd', 'full'] },
    /full or shared under indexer_types \| "odd"/,
  ],
  ['letters of indexers', { ...indexed, index_topk_pattern: 'FSX' }, /4 letters F or S .* \| "FSX"/],
  [
    'two numbers of KV heads',
    { ...plain, attn_config: { kv_n_heads: 4 } },
    /attn_config\.kv_n_heads = 4 together with 2/,
  ],
  ['a group that does not divide', blocks({ n_heads_in_group: 3 }), /n_heads_in_group = 3 of 8 heads/],
  ['a block without attention', { ...plain, block_configs: [{}, {}, {}, {}] }, /an object attention in each/],
  [
    'attention sinks',
    blocks({ n_heads_in_group: 2, num_sink_tokens: 4 }),
    /blocks without num_sink_tokens \| .*num_sink_tokens = 4/,
  ],
  ['an unknown part of a block', blocks({ n_heads_in_group: 2, rotary: 4 }), /blocks without rotary/],
  [
    'half a token',
    blocks({ n_heads_in_group: 2, window_length: 1.5 }),
    /whole tokens \| .*attention\.window_length = 1\.5/,
  ],
  ['a list instead of an object', [], /a JSON object \| \[\]/],
  [
    'an encoder of Gemma',
    { ...plain, model_type: 'gemma3_text', use_bidirectional_attention: true },
    /use_bidirectional_attention = true: an encoder/,
  ],
  [
    'hf_quant_config.json',
    { quantization: { kv_cache_quant_algo: 'FP8' } },
    /an hf_quant_config\.json \| name the config\.json next to it/,
  ],
  [
    'a composed encoder-decoder',
    { encoder: {}, decoder: {} },
    /an encoder-decoder \(it has encoder or decoder\)/,
  ],
  [
    'other attention of an unknown type',
    { ...windowInOne, attention_other_setting: { attention_type: 'x' } },
    /sliding_attention \| attention_other_setting\.attention_type = "x"/,
  ],
  ['layers that are no object', { ...plain, per_layer_config: 3 }, /an object under per_layer_config \| 3/],
  [
    'a layer beyond the last',
    { ...plain, per_layer_config: { '9': { head_dim: 3 } } },
    /layers 0 to 3 with head_dim, .* \| 9: {"head_dim":3}/,
  ],
  [
    'a shape for each of 70 layers',
    {
      ...withoutGroups,
      num_hidden_layers: 70,
      num_key_value_heads_per_layer: Array.from({ length: 70 }, (_, layer) => layer + 1),
    },
    /at most 64 different shapes of layers \| 70/,
  ],
  [
    'two widths of the cache',
    {
      ...plain,
      quantization_config: { kv_cache_scheme: { num_bits: 8 } },
      compression_config: { kv_cache_scheme: { num_bits: 16 } },
    },
    /1 by quantization_config\.kv_cache_scheme, 2 by compression_config/,
  ],
  [
    'no heads',
    { model_type: 'x', num_hidden_layers: 4, hidden_size: 512 },
    /1 under num_attention_heads or .* = nothing/,
  ],
  [
    'no layers',
    { model_type: 'x', architectures: ['XForCausalLM'], hidden_size: 512 },
    /from 1 under num_hidden_layers or .* \| num_hidden_layers = nothing/,
  ],
  ['a word for all layers', { ...plain, layer_types: 'full_attention' }, /4 entries, .* \| "full_attention"/],
  [
    'a list that has neither the layers nor those of MTP behind them',
    { ...plain, num_nextn_predict_layers: 1, layer_types: ['full_attention'] },
    /4 entries, one per layer, or 5 with the MTP layers, under layer_types \| 1 entries/,
  ],
  ['a number for a kind', { ...plain, layer_types: [1, 2, 3, 4] }, /layer_types with 1/],
  ['a layer as text', { ...plain, full_attn_idxs: ['1'] }, /0 to 3, .* \| "1" in \["1"\]/],
  [
    'letters in a list',
    { ...plain, hybrid_override_pattern: ['M'] },
    /4 letters, .* \| 0 letters in \["M"\]/,
  ],
  ['blocks that are no objects', { ...plain, block_configs: [1, 2, 3, 4] }, /an object attention .* \| 1/],
  [
    'a layer that is no number',
    { ...plain, per_layer_config: { last: { head_dim: 3 } } },
    /\| last: {"head_dim":3}/,
  ],
  [
    'an indexer without a size',
    { ...plain, layer_types: Array(4).fill('deepseek_sparse_attention') },
    /1 under index_head_dim \| index_head_dim = nothing/,
  ],
  [
    'a cache of an unknown kind',
    { ...plain, quantization_config: { kv_cache_name: 'fp8' } },
    /a KV cache of 8 or 16 bits \| quantization_config\.kv_cache_name = "fp8" \| give layout/,
  ],
  [
    'a cache as a number',
    { ...plain, quantization_config: { kv_cache_scheme: 8 } },
    /\.kv_cache_scheme = 8 \|/,
  ],
  [
    'a count beyond 2^53 of an unknown key',
    { ...plain, kv_size: 2n ** 64n },
    /kv_size = 18446744073709551616/,
  ],
  [
    'a list of numbers beyond 2^53',
    { ...plain, layer_types: [2n ** 64n, Infinity, 'full_attention', 1] },
    /layer_types with 18446744073709551616/,
  ],
  [
    'a long list, cut',
    { ...plain, kv_sizes: [Infinity, ...Array(60).fill(2n ** 64n)] },
    /kv_sizes = \["Infinity","18446744073709551616".*\.\.\. \(1392 characters\)/,
  ],
  ['a list of an unknown key', { ...plain, kv_sizes: [1, 2] }, /kv_sizes = \[1,2\]/],
];
