/** Which object of a file is the language model, and files that hold none. */
import { isObject } from '../../../runner/job-spec/pointer.js';
import type { ConfigObject } from './config-keys.js';
import { REFUSED_TYPES } from './model-types.js';
import { ConfigRefusal, show } from './refusal.js';

/** Keys that only other files have -> what the file is. */
const OTHER_FILES: readonly (readonly [string, string, string])[] = [
  ['peft_type', 'an adapter_config.json (LoRA or another adapter)', 'name the config.json of its base model'],
  ['added_tokens_decoder', 'a tokenizer_config.json', 'name the config.json next to it'],
  ['added_tokens', 'a tokenizer.json', 'name the config.json next to it'],
  ['tokenizer_file', 'a tokenizer_config.json', 'name the config.json next to it'],
  ['weight_map', 'an index of weight files', 'name the config.json next to it'],
  ['_class_name', 'a diffusion pipeline or its part', 'name the config.json of a language model'],
  ['_diffusers_version', 'a diffusion pipeline or its part', 'name the config.json of a language model'],
  ['image_processor_type', 'a preprocessor_config.json', 'name the config.json next to it'],
  ['feature_extractor_type', 'a preprocessor_config.json', 'name the config.json next to it'],
  ['processor_class', 'a processor or tokenizer configuration', 'name the config.json next to it'],
  ['chat_template', 'a chat template', 'name the config.json next to it'],
];

/** Keys that say how many layers, under every name in use. */
export const LAYER_KEYS = [
  'num_hidden_layers',
  'n_layer',
  'n_layers',
  'num_layers',
  'num_transformer_layers',
  'layers',
] as const;

const LAYER_LISTS = ['layers_block_type', 'layer_types', 'hybrid_override_pattern', 'attn_layers'] as const;
const NESTING = ['text_config', 'llm_config', 'language_config', 'thinker_config'] as const;
const DEEPEST_NESTING = 3;

export interface LanguageModel {
  readonly config: ConfigObject;
  readonly modelType: string | null;
  /** "text_config", "thinker_config.text_config"; '' for the file's own object. */
  readonly path: string;
  /** The file's own object and those passed on the way in, outermost first. */
  readonly outer: readonly ConfigObject[];
}

export function findLanguageModel(document: unknown): LanguageModel {
  if (!isObject(document)) throw new ConfigRefusal('a JSON object', show(document));
  let config: ConfigObject = document;
  const path: string[] = [];
  const outer: ConfigObject[] = [document];
  for (let depth = 0; depth < DEEPEST_NESTING; depth++) {
    const current = config;
    const key = NESTING.find((name) => isObject(current[name]) && Object.keys(current[name]).length > 0);
    const inner = key === undefined ? undefined : current[key];
    if (key === undefined || !isObject(inner)) break;
    config = inner;
    path.push(key);
    outer.push(config);
  }
  const types = outer.map((object) => object['model_type']).filter((type) => typeof type === 'string');
  refuseByType(outer, types);
  const own = config['model_type'];
  const modelType = typeof own === 'string' ? own : (types.at(-1) ?? null);
  if (!hasLayers(config) && !(modelType !== null && isModelFile(outer))) refuseOther(document);
  return { config, modelType, path: path.join('.'), outer };
}

function hasLayers(config: ConfigObject): boolean {
  return [...LAYER_KEYS, ...LAYER_LISTS].some((key) => config[key] !== undefined && config[key] !== null);
}

function isModelFile(outer: readonly ConfigObject[]): boolean {
  return outer.length > 1 || outer.some((object) => Array.isArray(object['architectures']));
}

function refuseByType(outer: readonly ConfigObject[], types: readonly string[]): void {
  const expected = 'a decoder-only language model';
  for (const type of types) {
    const why = REFUSED_TYPES.get(type);
    if (why !== undefined) throw new ConfigRefusal(expected, `model_type = ${show(type)}: ${why}`);
  }
  if (outer.some((object) => object['is_encoder_decoder'] === true)) {
    throw new ConfigRefusal(
      expected,
      'is_encoder_decoder = true: two caches, its own and that of cross-attention',
    );
  }
  const encoder = outer.find(
    (object) =>
      /^gemma[34]/.test(String(object['model_type'])) &&
      [true, 'all'].some((value) => value === object['use_bidirectional_attention']),
  );
  if (encoder !== undefined) {
    const value = show(encoder['use_bidirectional_attention']);
    throw new ConfigRefusal(
      expected,
      `use_bidirectional_attention = ${value}: an encoder, which keeps no KV cache`,
    );
  }
}

/** Says what a file without layers is, as far as its keys tell. */
function refuseOther(document: ConfigObject): never {
  const expected = 'the config.json of a language model';
  const other = OTHER_FILES.find(([key]) => Object.hasOwn(document, key));
  if (other !== undefined) throw new ConfigRefusal(expected, `${other[1]} (it has ${other[0]})`, other[2]);
  if (isObject(document['quantization'])) {
    throw new ConfigRefusal(
      expected,
      'an hf_quant_config.json',
      'name the config.json next to it: both are read',
    );
  }
  if (isObject(document['encoder']) || isObject(document['decoder'])) {
    throw new ConfigRefusal(expected, 'an encoder-decoder (it has encoder or decoder)');
  }
  const inner = Object.entries(document)
    .filter(([, value]) => isObject(value) && hasLayers(value))
    .map(([key]) => key);
  const hint =
    inner.length === 0
      ? undefined
      : `objects with layers: ${inner.join(', ')}; save the language model's as a file of its own`;
  const keys = `keys ${show(Object.keys(document).slice(0, 8))}`;
  throw new ConfigRefusal(expected, `no key that says its layers (${LAYER_KEYS.join(', ')}); ${keys}`, hint);
}
