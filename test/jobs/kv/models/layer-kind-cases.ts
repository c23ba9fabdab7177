/** Every form in which a family says the kind, the window, the heads or the indexer of a layer. */
import { plain } from './deciding-keys.js';

const grouped = { ...plain, num_key_value_heads: 2 };
const latent = {
  ...plain,
  model_type: 'deepseek_v32',
  kv_lora_rank: 512,
  qk_rope_head_dim: 64,
  index_head_dim: 128,
};
const fullWords = ['full_attention', 'full_attention', 'full_attention', 'full_attention'];

export const KIND_CASES: readonly (readonly [string, Record<string, unknown>, string])[] = [
  [
    'Zamba: the third layer, then by the period from the fourth on',
    {
      ...plain,
      model_type: 'zamba',
      num_attention_heads: 16,
      num_hidden_layers: 12,
      attn_layer_period: 6,
      attn_layer_offset: 4,
      attention_head_dim: 64,
    },
    'state 0,1,2,3,4,5,6,7,8,9,10,11 0x0/0; full 2,7 16x64/64',
  ],
  [
    'GPT-Neo: a word per layer',
    {
      model_type: 'gpt_neo',
      num_layers: 2,
      num_heads: 16,
      hidden_size: 1024,
      attention_layers: ['global', 'local'],
      attention_types: [[['global', 'local'], 1]],
      window_size: 256,
    },
    'full 0 16x64/64; window 1 16x64/64 w256',
  ],
  [
    'RecurrentGemma: a tile of words',
    {
      ...plain,
      model_type: 'recurrent_gemma',
      num_key_value_heads: 1,
      block_types: ['recurrent', 'recurrent', 'attention'],
      attention_window_size: 2048,
    },
    'state 0,1,3 0x0/0; window 2 1x64/64 w2048',
  ],
  [
    'Ling: the last of each group and those that fill no group',
    { ...grouped, model_type: 'bailing_moe_linear', num_hidden_layers: 5, layer_group_size: 2 },
    'state 0,2 0x0/0; full 1,3,4 2x64/64',
  ],
  [
    'EXAONE 4: letters, and the last layer full',
    {
      ...grouped,
      model_type: 'exaone4',
      num_hidden_layers: 6,
      sliding_window: 16,
      sliding_window_pattern: 'LLLG',
    },
    'window 0,1,2,4 2x64/64 w16; full 3,5 2x64/64',
  ],
  [
    'Cohere2-MoE: a pattern for its dense layers',
    {
      ...grouped,
      model_type: 'cohere2_moe',
      head_dim: 64,
      num_hidden_layers: 6,
      sliding_window: 16,
      first_k_dense_replace: 2,
      prefix_dense_sliding_window_pattern: 1,
      sliding_window_pattern: 4,
    },
    'full 0,1,5 2x64/64; window 2,3,4 2x64/64 w16',
  ],
  [
    'Mllama: cross-attention keeps the image, not the text',
    { ...grouped, model_type: 'mllama_text_model', cross_attention_layers: [1] },
    'full 0,2,3 2x64/64',
  ],
  [
    'ModernBERT as a decoder: every third full, half of local_attention otherwise',
    { ...plain, model_type: 'modernbert-decoder', global_attn_every_n_layers: 3, local_attention: 128 },
    'full 0,3 8x64/64; window 1,2 8x64/64 w64',
  ],
  [
    'AFMoE: the last of each four',
    { ...grouped, model_type: 'afmoe', head_dim: 64, global_attn_every_n_layers: 4, sliding_window: 16 },
    'window 0,1,2 2x64/64 w16; full 3 2x64/64',
  ],
  [
    'a window for each layer',
    { ...grouped, sliding_window: [16, null, 32, 16] },
    'window-2x64-0 0,3 2x64/64 w16; full 1 2x64/64; window-2x64-2 2 2x64/64 w32',
  ],
  [
    'a class with windows, turned off',
    { ...grouped, model_type: 'gemma2', head_dim: 64, sliding_window: null },
    'full 0,1,2,3 2x64/64',
  ],
  [
    'a window that no layer has',
    { ...grouped, sliding_window: 16, layer_types: fullWords },
    'full 0,1,2,3 2x64/64',
  ],
  [
    'ChatGLM without multi-query attention',
    { ...plain, model_type: 'chatglm', multi_query_attention: false, multi_query_group_num: 2 },
    'full 0,1,2,3 8x64/64',
  ],
  [
    'grouped by a switch',
    { ...plain, group_query_attention: true, num_query_groups: 2 },
    'full 0,1,2,3 2x64/64',
  ],
  [
    'the switch is off',
    { ...plain, group_query_attention: false, num_query_groups: 2 },
    'full 0,1,2,3 8x64/64',
  ],
  [
    'MPT with one KV head',
    {
      model_type: 'mpt',
      n_layers: 2,
      n_heads: 4,
      d_model: 64,
      attn_config: { attn_type: 'multiquery_attention' },
    },
    'full 0,1 1x16/16',
  ],
  [
    'MiMo-V2: twice the KV heads in windowed layers',
    {
      ...grouped,
      model_type: 'mimo_v2_flash',
      head_dim: 64,
      v_head_dim: 64,
      sliding_window: 16,
      hybrid_layer_pattern: [0, 1, 1, 0],
    },
    'full 0,3 2x64/64; window 1,2 4x64/64 w16',
  ],
  [
    'Nemotron-NAS: windows, and blocks without attention',
    {
      ...plain,
      block_configs: [
        { attention: { n_heads_in_group: 4, window_length: 16 } },
        { attention: { no_op: true, num_sink_tokens: 3 } },
        { attention: { replace_with_linear: true } },
        { attention: { n_heads_in_group: 2 } },
      ],
    },
    'window 0 2x64/64 w16; full 3 4x64/64',
  ],
  [
    'the number of layers by a list',
    {
      model_type: 'nemotron_h',
      num_attention_heads: 8,
      hidden_size: 512,
      num_key_value_heads: 2,
      hybrid_override_pattern: 'M*-M',
    },
    'state 0,3 0x0/0; full 1 2x64/64',
  ],
  [
    'compression by words',
    {
      ...plain,
      model_type: 'deepseek_v4',
      num_key_value_heads: 1,
      head_dim: 512,
      sliding_window: 128,
      index_head_dim: 128,
      layer_types: [
        'sliding_attention',
        'compressed_sparse_attention',
        'heavily_compressed_attention',
        'compressed_sparse_attention',
      ],
      compress_rates: { compressed_sparse_attention: 4, heavily_compressed_attention: 128 },
    },
    'window 0 1x512/0 w128; compressed-4 1,3 1x512/0 w128; index 1,3 1x128/0; compressed-128 2 1x512/0 w128',
  ],
  [
    'an indexer with heads and a ratio of its own',
    { ...grouped, indexer_head_dim: 32, indexer_kv_heads: 2, indexer_compress_ratio: 4 },
    'full 0,1,2,3 2x64/64; index 0,1,2,3 1x64/0',
  ],
  [
    'MiniMax-M3: an indexer only where a layer is named for it',
    { ...grouped, model_type: 'minimax_m3', layer_types: fullWords, index_head_dim: 128 },
    'full 0,1,2,3 2x64/64',
  ],
  [
    'MiniMax-M3: marks of a nested object',
    {
      ...grouped,
      model_type: 'minimax_m3',
      index_head_dim: 128,
      sparse_attention_config: {
        use_sparse_attention: true,
        sparse_index_dim: 128,
        sparse_attention_freq: [0, 1, 1, 0],
      },
    },
    'full 0,1,2,3 2x64/64; index 1,2 1x128/0',
  ],
  [
    'indexers by letters',
    { ...latent, index_topk_pattern: 'FSSF' },
    'latent 0,1,2,3 1x576/0; index 0,3 1x128/0',
  ],
  [
    'indexers by a period',
    { ...latent, num_hidden_layers: 8, index_topk_freq: 3 },
    'latent 0,1,2,3,4,5,6,7 1x576/0; index 0,1,4,7 1x128/0',
  ],
  [
    'and an offset',
    { ...latent, num_hidden_layers: 8, index_topk_freq: 3, index_skip_topk_offset: 1 },
    'latent 0,1,2,3,4,5,6,7 1x576/0; index 0,3,6 1x128/0',
  ],
];

/** Full layers of 12, where only the class says which. */
export const CLASS_CASES: readonly (readonly [string, readonly number[]])[] = [
  ['gemma2', [1, 3, 5, 7, 9, 11]],
  ['granite_swa', [0, 4, 8]],
  ['gemma4_text', [5, 11]],
  ['gemma4_unified_text', [5, 11]],
  ['muse_glimmer_text', [3, 7, 11]],
  ['mimo_v2_flash', [0, 5, 11]],
  ['qwen3_next', [3, 7, 11]],
];
