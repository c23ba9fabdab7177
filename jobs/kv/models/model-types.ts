/** What this reader knows of a model_type beyond its keys. Facts of the models' classes; tables only. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../runner/project.js';
import type { ConfigObject } from './config-keys.js';
import { parseJsonObject } from '../../../runner/values/json.js';
import { isObject } from '../../../runner/job-spec/pointer.js';

let defaults: ConfigObject | undefined;

function classFile(): ConfigObject {
  const path = join(projectRoot, 'jobs', 'kv', 'models', 'class-defaults.json');
  defaults ??= parseJsonObject(readFileSync(path, 'utf8'));
  return defaults;
}

/** Defaults of the configuration classes of transformers 5.18 (its public configuration files), for absent keys. */
export function classDefaults(modelType: string): ConfigObject {
  const file = classFile();
  const known = Object.hasOwn(file, modelType) ? file[modelType] : undefined;
  return { ...(isObject(known) ? known : {}), ...MORE_DEFAULTS[modelType] };
}

/** Defaults that the classes set in code. */
const MORE_DEFAULTS: Readonly<Record<string, ConfigObject>> = {
  gemma4_text: { global_head_dim: 512 },
  gemma4_unified_text: { global_head_dim: 512 },
};

/** Types that ship with their own code instead of transformers', checked against that code or an engine's. */
const REMOTE_CODE_TYPES: readonly string[] =
  `arctic baichuan bailing_moe bailing_moe_v2 bailing_hybrid bailing_moe_linear chatglm deci deepseek_ref deepseek_vl_v2
  deepseek exaone glm5_next grok hunyuan hunyuan_moe internlm internlm2 internlm3 jais kimi_k2 kimi_k25 kimi_vl
  minicpm minimax_m1 minimax_m3 minimax_m3_vl minimax_text_01 mimo nemotron-nas nemotron_h openelm orion pangu
  phi-msft phi3small phi3_v qwen qwen2_5_vl qwen2_vl step3_text step3p7 telechat telechat2 xverse yi`.split(
    /\s+/,
  );

/** Every model_type whose keys were checked, sorted. */
export function knownTypes(): readonly string[] {
  return [...new Set([...Object.keys(classFile()), ...REMOTE_CODE_TYPES])].sort();
}

export function isKnownType(modelType: string): boolean {
  return Object.keys(classDefaults(modelType)).length > 0 || REMOTE_CODE_TYPES.includes(modelType);
}

/** Which layers keep the whole context; the others have a window, or a state instead of a cache. */
export interface ClassPattern {
  /** For the note: one full layer in so many. */
  readonly period: number;
  readonly full: (layer: number, numLayers: number) => boolean;
  readonly other: 'window' | 'state';
}

const every = (period: number, other: 'window' | 'state' = 'window'): ClassPattern => ({
  period,
  full: (layer) => (layer + 1) % period === 0,
  other,
});
const fromFirst = (period: number): ClassPattern => ({
  period,
  full: (layer) => layer % period === 0,
  other: 'window',
});

/** Where the file does not say it: the pattern of the type's class. */
export const CLASS_PATTERNS: Readonly<Record<string, ClassPattern>> = {
  gemma2: every(2),
  gemma3_text: every(6),
  gemma3n_text: every(5),
  gemma4_text: { ...every(6), full: (layer, numLayers) => (layer + 1) % 6 === 0 || layer === numLayers - 1 },
  gemma4_unified_text: {
    ...every(6),
    full: (layer, numLayers) => (layer + 1) % 6 === 0 || layer === numLayers - 1,
  },
  t5gemma2_text: every(6),
  vaultgemma: every(2),
  gpt_oss: every(2),
  cohere2: every(4),
  cohere_compass_text: every(4),
  exaone4: every(4),
  exaone_moe: every(4),
  afmoe: every(4),
  olmo3: every(4),
  cwm: fromFirst(4),
  granite_swa: fromFirst(4),
  granitemoe_swa: fromFirst(4),
  'modernbert-decoder': fromFirst(3),
  muse_glimmer_text: {
    period: 4,
    full: (layer, numLayers) => (numLayers - 1 - layer) % 4 === 0,
    other: 'window',
  },
  mimo_v2_flash: { ...every(6), full: (layer) => layer === 0 || (layer + 1) % 6 === 0 },
  inkling_text: every(6),
  llama4_text: every(4),
  qwen3_next: every(4, 'state'),
  qwen3_5_text: every(4, 'state'),
  qwen3_5_moe_text: every(4, 'state'),
  qwen4_exp_text: every(4, 'state'),
  olmo_hybrid: every(4, 'state'),
  glm5_next_text: every(4, 'state'),
};

/** Types whose every layer has a window where sliding_window says one. */
export const WINDOW_IN_EVERY_LAYER: ReadonlySet<string> = new Set([
  'mistral',
  'mixtral',
  'ministral',
  'phi3',
  'phi3_v',
  'phi4_multimodal',
  'phimoe',
  'starcoder2',
  'voxtral_realtime_text',
]);

/** Types whose layers from max_window_layers on have the window; most of them only with use_sliding_window. */
export const WINDOW_FROM_LAYER: ReadonlyMap<string, { readonly onRequest: boolean }> = new Map([
  ['dots1', { onRequest: false }],
  ...`qwen2 qwen2_vl qwen2_5_vl qwen2_vl_text qwen2_5_vl_text qwen2_5_omni_text qwen3 qwen3_moe qwen3_vl_text
  qwen3_vl_moe_text qwen3_omni_moe_text mimo`
    .split(/\s+/)
    .map((type): [string, { readonly onRequest: boolean }] => [type, { onRequest: true }]),
]);

/** Types whose sliding_window is heeded by no layer: the attention of the class has none. */
export const WINDOW_UNUSED: ReadonlySet<string> = new Set([
  'jamba',
  'minimax_m1',
  'minimax_m2',
  'nemotron_h',
  'deepseek_ocr2_text',
]);

/** Types with attention and a state in every layer. */
export const ATTENTION_AND_STATE: ReadonlySet<string> = new Set(['falcon_h1', 'zaya']);

/** Decoder layers with more than one attention, each with a cache of its own. */
export const ATTENTIONS_PER_LAYER: Readonly<Record<string, number>> = {
  longcat_flash: 2,
  longcat_flash_ngram: 2,
};

const RECURRENT = 'a recurrent model, which keeps a state per sequence and no KV cache';
const ENCODER = 'an encoder, which keeps no KV cache';
const TWO_CACHES = 'an encoder-decoder, which keeps two caches (its own and that of cross-attention)';

const byWhy = (why: string, types: string): [string, string][] =>
  types.split(/\s+/).map((type) => [type, why]);

/** Types that are no decoder with one KV cache. */
export const REFUSED_TYPES: ReadonlyMap<string, string> = new Map([
  ...byWhy(RECURRENT, 'mamba mamba2 falcon_mamba rwkv rwkv5 rwkv6 rwkv7 xlstm'),
  ...byWhy(
    ENCODER,
    `bert roberta xlm-roberta xlm-roberta-xl albert electra distilbert deberta deberta-v2 modernbert mpnet nomic_bert
    camembert ernie megatron-bert rembert roformer data2vec-text longformer big_bird bert-generation clip_text_model
    siglip_text_model eurobert vit clip siglip siglip2 dinov2 wav2vec2 hubert esm xmod roc_bert convbert roberta-prelayernorm`,
  ),
  ...byWhy(
    TWO_CACHES,
    `t5 mt5 umt5 longt5 switch_transformers bart mbart pegasus pegasus_x bigbird_pegasus blenderbot blenderbot-small
    marian m2m_100 nllb-moe led prophetnet plbart mvp fsmt whisper speech_to_text encoder-decoder t5gemma t5gemma2
    vision-encoder-decoder speech-encoder-decoder florence2 seamless_m4t seamless_m4t_v2 moonshine dia musicgen
    musicgen_melody udop pix2struct trocr bark pp_formulanet nougat donut-swin`,
  ),
  ...byWhy('a model whose layers run several times per token', 'hrm_text ouro huginn_raven blt'),
  ...byWhy('a model whose layers share caches in a way that this reader does not know', 'phi4flash hymba'),
  ...byWhy('a model that hashes its keys instead of keeping them in order', 'reformer'),
  ...byWhy('a model with a second, recurrent memory', 'xlnet'),
  ...byWhy(
    'a diffusion model, which writes no cache of past tokens',
    'diffusion_gemma_text llada dream Dream',
  ),
]);
