/** What a file leaves to a default, turns off or says twice -> the groups that an engine keeps. */
import { plain } from './deciding-keys.js';

const grouped = { ...plain, num_key_value_heads: 2 };
const unknown = { ...grouped, model_type: 'brand_new' };

export const ABSENT_CASES: readonly (readonly [string, Record<string, unknown>, string])[] = [
  ['two names of the layers that agree', { ...grouped, n_layer: 4 }, 'full 0,1,2,3 2x64/64'],
  [
    'layers, heads and sizes by the class',
    {
      model_type: 'llama',
      architectures: ['LlamaForCausalLM'],
      num_key_value_heads: 4,
    },
    `full ${Array.from({ length: 32 }, (_, layer) => layer).join(',')} 4x128/128`,
  ],
  [
    'a nested model that leaves all to its class',
    { model_type: 'gemma3', text_config: { model_type: 'gemma2', hidden_size: 2304 } },
    `window ${Array.from({ length: 13 }, (_, layer) => 2 * layer).join(',')} 4x256/256 w4096; ` +
      `full ${Array.from({ length: 13 }, (_, layer) => 2 * layer + 1).join(',')} 4x256/256`,
  ],
  [
    'two attentions in each of the 28 layers of the class',
    { model_type: 'longcat_flash', architectures: ['LongcatFlashForCausalLM'] },
    `latent ${Array.from({ length: 56 }, (_, layer) => layer).join(',')} 1x576/0`,
  ],
  [
    'Cohere2-MoE without dense layers',
    {
      ...grouped,
      model_type: 'cohere2_moe',
      head_dim: 64,
      sliding_window: 16,
      prefix_dense_sliding_window_pattern: 1,
    },
    'window 0,1,2 2x64/64 w16; full 3 2x64/64',
  ],
  [
    'two lists that agree',
    {
      ...grouped,
      model_type: 'qwen3_next',
      head_dim: 64,
      layer_types: ['linear_attention', 'full_attention', 'linear_attention', 'full_attention'],
      full_attention_interval: 2,
    },
    'state 0,2 0x0/0; full 1,3 2x64/64',
  ],
  [
    'a window that a switch turns off, of another type',
    { ...grouped, sliding_window: 16, use_sliding_window: false },
    'full 0,1,2,3 2x64/64',
  ],
  [
    'a window from the first layer on',
    { ...grouped, model_type: 'qwen2', sliding_window: 16, use_sliding_window: true, max_window_layers: 0 },
    'window 0,1,2,3 2x64/64 w16',
  ],
  ['a period without offset', { ...unknown, attn_layer_period: 2 }, 'full 0,2 2x64/64; state 1,3 0x0/0'],
  [
    'linear attention where the list has no full layer',
    { ...unknown, linear_attn_config: { full_attn_layers: [2] } },
    'state 0,2,3 0x0/0; full 1 2x64/64',
  ],
  ['full layers by number', { ...unknown, full_attn_idxs: [1, 3] }, 'state 0,2 0x0/0; full 1,3 2x64/64'],
  [
    'Llama 4: layers with rotary positions are chunked',
    {
      ...grouped,
      model_type: 'llama4_text',
      head_dim: 64,
      no_rope_layers: [1, 0, 1, 0],
      attention_chunk_size: 32,
    },
    'window 0,2 2x64/64 w32; full 1,3 2x64/64',
  ],
  [
    'Falcon with as many KV heads as heads',
    { ...plain, model_type: 'falcon', multi_query: false },
    'full 0,1,2,3 8x64/64',
  ],
  [
    'StarCoder: one KV head by the class',
    { model_type: 'gpt_bigcode', n_layer: 2, n_head: 4, n_embd: 64 },
    'full 0,1 1x16/16',
  ],
  [
    'and as many as heads by the file',
    { model_type: 'gpt_bigcode', n_layer: 2, n_head: 4, n_embd: 64, multi_query: false },
    'full 0,1 4x16/16',
  ],
  [
    'MPT with KV heads next to its object',
    {
      model_type: 'mpt',
      n_layers: 2,
      n_heads: 4,
      d_model: 64,
      num_kv_heads: 2,
      attn_config: { alibi: true },
    },
    'full 0,1 2x16/16',
  ],
  [
    'and with none',
    { model_type: 'mpt', n_layers: 2, n_heads: 4, d_model: 64, attn_config: { alibi: true } },
    'full 0,1 4x16/16',
  ],
  [
    'MiMo-V2: windows whose V has the size of full layers',
    {
      ...grouped,
      model_type: 'mimo_v2_flash',
      head_dim: 192,
      v_head_dim: 128,
      sliding_window: 16,
      swa_num_key_value_heads: 4,
      swa_head_dim: 96,
      hybrid_layer_pattern: [0, 1, 1, 1],
    },
    'full 0 2x192/128; window 1,2,3 4x96/128 w16',
  ],
  [
    'Step-3.7: windows with groups of their own',
    {
      ...plain,
      model_type: 'step3p7',
      head_dim: 64,
      num_attention_groups: 2,
      sliding_window: 16,
      layer_types: ['full_attention', 'sliding_attention', 'sliding_attention', 'sliding_attention'],
      attention_other_setting: { attention_type: 'sliding_attention', num_attention_groups: 4, head_dim: 32 },
    },
    'full 0 2x64/64; window 1,2,3 4x32/32 w16',
  ],
  [
    'an indexer with one head, only where layers are full',
    {
      ...unknown,
      indexer_head_dim: 32,
      sliding_window: 16,
      layer_types: ['full_attention', 'sliding_attention', 'full_attention', 'full_attention'],
    },
    'full 0,2,3 2x64/64; index 0,2,3 1x32/0; window 1 2x64/64 w16',
  ],
  [
    'an indexer whose size is the class',
    {
      ...plain,
      model_type: 'glm_moe_dsa',
      layer_types: ['full_attention', 'deepseek_sparse_attention', 'full_attention', 'full_attention'],
    },
    'latent 0,1,2,3 1x576/0; index 1 1x128/0',
  ],
  [
    'indexers by a list of letters',
    { ...plain, model_type: 'deepseek_v32', index_head_dim: 128, index_topk_pattern: ['F', 'S', 'S', 'F'] },
    'latent 0,1,2,3 1x576/0; index 0,3 1x128/0',
  ],
  [
    'Qwen4: sparse layers whose indexer the file does not have',
    {
      ...grouped,
      model_type: 'qwen4_exp_text',
      head_dim: 64,
      layer_types: ['qwen_sparse_attention', 'linear_attention', 'linear_attention', 'linear_attention'],
    },
    'full 0 2x64/64; state 1,2,3 0x0/0',
  ],
];
