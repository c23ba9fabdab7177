/**
 * Fail closed: a key that decides geometry, or looks as if it did, and that no rule has read refuses the file. Keys of
 * this module's tables are known not to decide, each for the reason given.
 */
import { isObject } from '../../../runner/job-spec/pointer.js';
import { isOff, type ConfigKeys } from './config-keys.js';
import { ConfigRefusal, show } from './refusal.js';

/** Words in a key that make it decide more likely than not. On with any value but off. */
const SUSPICIOUS =
  /mamba|ssm|rwkv|linear_attn|lightning|swa_|_swa|sliding|window|per_layer|shared|hybrid|pattern|layer_types|layer_type$|block_type|index_|indexer|compress|cla_|groups|kv_shar|share_kv|kv_heads|head_kv|key_value/;

/** Words that decide only as a count, a list or an object: as switches and factors they belong to arithmetic. */
const SUSPICIOUS_COUNTS =
  /attn|attention|kv|head_?dim|head_size|latent|lora_rank|cache|chunk|local|global|layer|period|interval|every|ratio|recurr|state|conv|sparse|stride|skip|loop|cycle|repeat|ut_steps|memory|retention|delta|budget|share|^h_|^l_/i;

/** Keys known not to decide what a layer keeps. */
const HARMLESS: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:q_lora_rank|o_lora_rank|o_groups|qk_nope_head_dim|qk_head_dim|share_q_dim|swa_num_attention_heads|num_sliding_attention_heads|num_attention_heads_per_layer|num_query_heads|query_pre_attn_scalar|num_gqa_groups|qkv_multipliers|num_query_groups|rotary_dim|num_attention_heads|n_head|n_heads|num_heads)$/,
    'of queries, outputs and rotations, which are not kept',
  ],
  [
    /expert|moe|router|(?:^|_)mlp|ffn|^n_group$|^topk_group$|^first_k_dense|^decoder_sparse_step$|^shared_intermediate_size$|^share_expert|^swiglu|^expansion_ratio$|^ffn|^num_dense_layers$|^num_hash_layers$|^norm_topk|^use_grouped_topk$/,
    'of the feed-forward part',
  ],
  [
    /^(?:hidden_size_per_layer_input|vocab_size_per_layer_input|activation_sparsity_pattern|ple_|laurel|altup|ngram|heads_per_ngram)/,
    'of embeddings and activations',
  ],
  [
    /dropout|_drop(?:$|_)|pdrop|eps$|epsilon|norm(?:$|_)|layernorm|multiplier|scal(?:e|ing)|bias|softcap|soft_cap|rope|rotary|yarn|_act$|activation|alpha|beta_|_factor|initializer|_std$|_coef$|loss|temperature|clip_qkv|gate_type|sink|layerdrop/,
    'arithmetic',
  ],
  [
    /^(?:mtp_|num_mtp|num_nextn|nextn_|use_mtp|mtp$)/,
    'of multi-token prediction, counted only by layout.mtp',
  ],
  [
    /^(?:max_window_layers|use_sliding_window|index_topk|index_n_heads|indexer_n_heads|indexer_budget|index_local_blocks|index_topk_blocks|index_block_size|index_topk_freq|index_kpool|index_kpool_always_select_tail|indexer_rope_interleave)$/,
    'how many keys are chosen, not how many are kept',
  ],
  [
    /^(?:blocksparse_|dense_attention_every_n_layers$|keep_window_size$|num_sparse_)/,
    'which kept keys are read',
  ],
  [
    /^(?:num_beam_groups|num_beams|pruned_heads|output_attentions|output_hidden_states|chunk_size_feed_forward|chunk_size_lm_head|attn_implementation|_attn_implementation|_attn_implementation_autoset|use_cache|cache_implementation|add_cross_attention|cross_attention_hidden_size|auto_map|attention_implementation|num_logits_to_keep|max_position_embeddings|sep_token_id|transformers_version|no_rope_layer_interval|layer_scale|quantization_config|compression_config|rope_parameters|decoder_layers|encoder_layers|kv_cache_dtype|use_memory_efficient_attention|num_ln_in_parallel_attn|block_auto_adjust_ff_dim|block_ffn_dim_multiplier|block_multiple_of|conv_bias|vision_config|audio_config|task_specific_params|hc_[a-z_]+|tie_word_embeddings|ignore_index|vision_feature_layer|number_of_conv_states|prompt_length|num_memory_blocks|number_of_layers_per_block|mrope_section|attn_temperature_tuning)$/,
    'of generation, loading and shape of the graph',
  ],
];

/** Sizes of states and how they are computed: told by their layers' kinds, where the file or class says those. */
const STATE_KEYS =
  /^(?:mamba_|ssm_|linear_|conv_|conv1d_|lru_|use_mamba|use_conv|time_step|n_mamba_heads$|hidden_mamba|chunk_size$|expand$|n_groups$|state_size$|conv_kernel|cca_|full_attn_(?:alpha|beta)|block_size$|num_mem_blocks$|attention_hidden_size$|kv_channels$|use_mem_|group_norm_size$|short_conv|layer_group_size$|use_shared_attention_adapter$|lower_bound$|w_init|final_w_init)/;

/** NoPE decides windows only in Llama 4; lists of one entry per layer that say something else. */
const HARMLESS_LISTS =
  /^(?:no_rope_layers|layer_rope_theta|moe_layer_freq|mlp_layer_types|intermediate_size|id2label)$/;

export interface UnusedKeyContext {
  readonly numLayers: number;
  readonly numMtpLayers: number;
  /** The kinds of layers are said, so state sizes need no rule. */
  readonly isExplicit: boolean;
}

/** Throws for the first key that might decide and was not read. */
export function refuseUnusedKeys(keys: ConfigKeys, context: UnusedKeyContext): void {
  for (const [key, value] of Object.entries(keys.config)) {
    if (isOff(value) || keys.seen.has(key) || isHarmless(key, context.isExplicit)) continue;
    if (!SUSPICIOUS.test(key) && !isSuspiciousCount(key, value, context)) continue;
    throw new ConfigRefusal(
      'keys whose part in the KV cache this reader knows',
      `${key} = ${show(value)}`,
      'it may decide what layers keep: write layout.groups (or numLayers, outerDim and innerDim) by hand',
    );
  }
}

function isHarmless(key: string, isExplicit: boolean): boolean {
  if (HARMLESS_LISTS.test(key) || (isExplicit && STATE_KEYS.test(key))) return true;
  return HARMLESS.some(([names]) => names.test(key));
}

function isSuspiciousCount(key: string, value: unknown, context: UnusedKeyContext): boolean {
  if (Array.isArray(value)) {
    const { numLayers, numMtpLayers } = context;
    if (value.length > 3 && [numLayers, numLayers + numMtpLayers].includes(value.length)) return true;
    return SUSPICIOUS_COUNTS.test(key);
  }
  if (typeof value === 'bigint') return SUSPICIOUS_COUNTS.test(key);
  const isCount = typeof value === 'number' && Number.isSafeInteger(value) && value > 1;
  return (isCount || isObject(value)) && SUSPICIOUS_COUNTS.test(key);
}
