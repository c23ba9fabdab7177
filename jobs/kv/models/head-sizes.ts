/** KV heads and head sizes of a model's plain layers, under the names of every family. */
import { isObject } from '../../../runner/job-spec/pointer.js';
import { blockAttention } from './block-kinds.js';
import type { ConfigKeys } from './config-keys.js';
import { ConfigRefusal, show } from './refusal.js';

const HEADS = [
  'num_attention_heads',
  'n_head',
  'n_heads',
  'num_heads',
  'num_q_heads',
  'attention_heads',
] as const;
const HIDDEN = ['hidden_size', 'n_embd', 'd_model', 'model_dim', 'embed_dim', 'dim', 'emb_size'] as const;
const HEAD_SIZES = [
  'head_dim',
  'attention_head_dim',
  'kv_channels',
  'attention_head_size',
  'd_kv',
  'd_head',
  'dim_head',
  'key_size',
  'hidden_size_per_head',
] as const;
const KV_HEADS = [
  'num_key_value_heads',
  'num_kv_heads',
  'n_kv_heads',
  'n_head_kv',
  'num_attention_groups',
  'num_key_value_groups',
] as const;
const KV_HEAD_LISTS = ['num_kv_heads', 'num_key_value_heads_per_layer', 'num_key_value_heads'] as const;

/** What a layer keeps for one token. `latent`: one vector of headDimK elements. */
export interface TokenShape {
  readonly latent: boolean;
  readonly kvHeads: number;
  readonly headDimK: number;
  readonly headDimV: number;
}

/** Rules of families that say their KV heads by a switch. In order; the first whose keys are there decides. */
interface HeadRule {
  readonly applies: (keys: ConfigKeys, modelType: string) => boolean;
  readonly heads: (keys: ConfigKeys) => number | undefined;
}

const FALCON: ReadonlySet<string> = new Set(['falcon', 'RefinedWeb', 'RefinedWebModel']);

const HEAD_RULES: readonly HeadRule[] = [
  {
    applies: (_, modelType) => FALCON.has(modelType),
    heads: (keys) => {
      if (keys.take('new_decoder_architecture') === true) return keys.count(['num_kv_heads', 'n_head_kv']);
      keys.peek('num_kv_heads');
      keys.peek('n_head_kv');
      return keys.take('multi_query') === true ? 1 : queryHeads(keys);
    },
  },
  {
    applies: (keys) => typeof keys.config['multi_query_attention'] === 'boolean',
    heads: (keys) => {
      const isOn = keys.take('multi_query_attention') === true;
      if (isOn) return keys.need(['multi_query_group_num']);
      keys.peek('multi_query_group_num');
      return queryHeads(keys);
    },
  },
  {
    applies: (keys) => typeof keys.config['group_query_attention'] === 'boolean',
    heads: (keys) => {
      if (keys.take('group_query_attention') === true) return keys.need(['num_query_groups']);
      keys.peek('num_query_groups');
      return queryHeads(keys);
    },
  },
  {
    applies: (keys) => typeof keys.either('multi_query') === 'boolean' && keys.first(KV_HEADS) === undefined,
    heads: (keys) => (keys.take('multi_query') === true ? 1 : queryHeads(keys)),
  },
  {
    applies: (keys) => isObject(keys.config['attn_config']),
    heads: (keys) => {
      const attention = keys.inside('attn_config');
      const type = attention.peek('attn_type');
      if (type === 'multiquery_attention') {
        attention.take('attn_type');
        return 1;
      }
      const heads = attention.count(['kv_n_heads']);
      const plain = keys.count(KV_HEADS);
      if (heads !== undefined && plain !== undefined && heads !== plain) {
        throw new ConfigRefusal(
          'one number of KV heads',
          `attn_config.kv_n_heads = ${heads} together with ${plain}`,
        );
      }
      return heads ?? plain ?? queryHeads(keys);
    },
  },
  { applies: () => true, heads: (keys) => keys.count(KV_HEADS) },
];

function queryHeads(keys: ConfigKeys): number {
  return keys.need(HEADS);
}

/** The plain layers' shape, and the KV heads of each layer where a list says them. */
export interface BaseShape {
  readonly shape: TokenShape;
  readonly kvHeadsByLayer?: readonly number[];
}

export function baseShape(keys: ConfigKeys, modelType: string, numLayers: number): BaseShape {
  const isLatent =
    keys.peek('use_mla') !== false && (keys.has('kv_lora_rank') || keys.hasDefault('kv_lora_rank'));
  if (isLatent) return { shape: latentShape(keys) };
  const list = KV_HEAD_LISTS.find((key) => Array.isArray(keys.config[key]));
  const headDimK = headSize(keys);
  const headDimV = keys.count(['v_head_dim']) ?? headDimK;
  const plain = { latent: false, headDimK, headDimV };
  if (list !== undefined) {
    const kvHeadsByLayer = keys.perLayer(list, numLayers).map((heads) => keys.check(list, heads));
    return { shape: { ...plain, kvHeads: kvHeadsByLayer[0] ?? 1 }, kvHeadsByLayer };
  }
  if (keys.has('block_configs'))
    return { shape: { ...plain, kvHeads: 1 }, kvHeadsByLayer: blockHeads(keys, numLayers) };
  const rule = HEAD_RULES.find(({ applies }) => applies(keys, modelType));
  const said = rule?.heads(keys);
  if (said === undefined) keys.note('no key says KV heads: as many as query heads (multi-head attention)');
  const kvHeads = said ?? queryHeads(keys);
  mustDivide(keys, kvHeads);
  return { shape: { ...plain, kvHeads } };
}

/** Multi-head latent attention: the compressed vector and the rope part, which may be absent (0). */
function latentShape(keys: ConfigKeys): TokenShape {
  const rank = keys.need(['kv_lora_rank']);
  const rope = keys.size('qk_rope_head_dim');
  // Sizes of the expanded heads, which no engine keeps.
  for (const key of ['head_dim', 'v_head_dim', ...KV_HEADS, ...HEADS, ...HIDDEN]) keys.peek(key);
  return { latent: true, kvHeads: 1, headDimK: rank + rope, headDimV: 0 };
}

function headSize(keys: ConfigKeys): number {
  const said = keys.count(HEAD_SIZES);
  if (said !== undefined) {
    // The same size under a second name needs no rule of its own.
    for (const key of HEAD_SIZES) if (keys.config[key] === said) keys.peek(key);
    return said;
  }
  const [hidden, heads] = [keys.need(HIDDEN), queryHeads(keys)];
  if (hidden % heads === 0) return hidden / heads;
  throw new ConfigRefusal(
    'hidden size divisible by heads, or head_dim',
    `${hidden} / ${heads} = ${hidden / heads}`,
  );
}

/** Query heads share KV heads evenly: a file whose heads do not divide is none of a model. */
function mustDivide(keys: ConfigKeys, kvHeads: number): void {
  const key = keys.first(HEADS);
  if (key === undefined) return;
  const heads = keys.check(key, keys.peek(key));
  if (heads % kvHeads === 0) return;
  throw new ConfigRefusal(
    'query heads that divide by KV heads',
    `${key} = ${heads} with ${kvHeads} KV heads`,
  );
}

/** Nemotron-NAS: each block says how many query heads share a KV head. Blocks without attention count as 1. */
function blockHeads(keys: ConfigKeys, numLayers: number): number[] {
  const heads = queryHeads(keys);
  for (const key of KV_HEADS) if (key in keys.config) keys.peek(key);
  return keys.perLayer('block_configs', numLayers).map((block) => {
    const group = blockAttention(block)['n_heads_in_group'];
    if (group === null || group === undefined) return 1;
    const shared = keys.check('block_configs', group);
    if (heads % shared === 0) return heads / shared;
    throw new ConfigRefusal(
      'groups that divide the heads',
      `n_heads_in_group = ${show(group)} of ${heads} heads`,
    );
  });
}
