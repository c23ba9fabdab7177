/** KV geometry of real models: presets shipped as data, and Hugging Face config.json files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import type { Fault } from '../../runner/job-spec/issue.js';
import { showValue } from '../../runner/job-spec/issue.js';
import type { SpecFiles } from '../../runner/job-spec/files.js';
import { readJsonText } from '../../runner/job-spec/json-text.js';
import { isObject } from '../../runner/job-spec/pointer.js';
import { suggestion } from '../../runner/job-spec/suggest.js';

/** Attention with its own K and V heads: MHA where there is one for each query head. */
interface GroupedAttention {
  readonly attention: 'gqa';
  readonly numLayers: number;
  readonly numKvHeads: number;
  readonly headDim: number;
}

/** Multi-head latent attention: one latent vector a token, the same on every tensor-parallel rank. */
interface LatentAttention {
  readonly attention: 'mla';
  readonly numLayers: number;
  readonly kvLoraRank: number;
  readonly qkRopeHeadDim: number;
}

export type ModelShape = GroupedAttention | LatentAttention;

export interface ModelGeometry {
  readonly numLayers: number;
  readonly outerDim: number;
  readonly innerDim: number;
}

type Answer<T> = T | { readonly fault: Fault };

const LARGEST_CONFIG_BYTES = 1024 * 1024;

let presets: Readonly<Record<string, ModelShape>> | undefined;

/** Name -> shape, read once. */
export function modelPresets(): Readonly<Record<string, ModelShape>> {
  const path = join(projectRoot, 'configs', 'presets', 'models.json');
  presets ??= JSON.parse(readFileSync(path, 'utf8')) as Record<string, ModelShape>;
  return presets;
}

/** A preset's name has no slash and no ending; everything else is a path. */
export function findModel(
  model: string,
  pointer: string,
  files: SpecFiles,
): Answer<{ readonly shape: ModelShape }> {
  const known = modelPresets();
  const shape = Object.hasOwn(known, model) ? known[model] : undefined;
  if (shape !== undefined) return { shape };
  const expected = 'a preset, or the path of a Hugging Face config.json';
  if (!model.includes('/') && !model.endsWith('.json')) {
    const hint = suggestion(model, Object.keys(known));
    return { fault: { pointer, expected, received: JSON.stringify(model), hint } };
  }
  const answer = files.read(model, LARGEST_CONFIG_BYTES);
  if (!('file' in answer)) return { fault: { pointer, expected, ...answer } };
  const config = readJsonText(answer.file.text);
  if (config.kind === 'syntax') {
    const received = `${answer.file.path}:${config.line}:${config.column}: ${config.fault.received}, expected JSON with ${config.expected}`;
    return { fault: { pointer, expected, received } };
  }
  const read = shapeOfConfig(config.value);
  if ('shape' in read) return read;
  return { fault: { pointer, ...read, hint: `in ${answer.file.path}` } };
}

type ConfigAnswer = { readonly shape: ModelShape } | { readonly expected: string; readonly received: string };

/** Shape from a config.json; multimodal models keep the language model's under `text_config`. */
export function shapeOfConfig(document: unknown): ConfigAnswer {
  const outer = isObject(document) ? document : {};
  const config = isObject(outer['text_config']) ? outer['text_config'] : outer;
  const missing: string[] = [];
  const count = (key: string): number => {
    const value = config[key];
    if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
    missing.push(`${key} = ${showValue(value)}`);
    return 1;
  };
  const has = (key: string): boolean => config[key] !== undefined && config[key] !== null;

  const numLayers = count('num_hidden_layers');
  let shape: ModelShape;
  if (has('kv_lora_rank')) {
    shape = {
      attention: 'mla',
      numLayers,
      kvLoraRank: count('kv_lora_rank'),
      qkRopeHeadDim: count('qk_rope_head_dim'),
    };
  } else {
    const numKvHeads = count(has('num_key_value_heads') ? 'num_key_value_heads' : 'num_attention_heads');
    const headDim = has('head_dim') ? count('head_dim') : count('hidden_size') / count('num_attention_heads');
    if (missing.length === 0 && !Number.isInteger(headDim)) {
      missing.push(`hidden_size / num_attention_heads = ${headDim}`);
    }
    shape = { attention: 'gqa', numLayers, numKvHeads, headDim };
  }
  if (missing.length === 0) return { shape };
  const keys =
    'num_hidden_layers, num_attention_heads and hidden_size or head_dim (MLA: kv_lora_rank, qk_rope_head_dim)';
  return { expected: `a config.json with ${keys}, whole numbers from 1`, received: missing.join('; ') };
}

/**
 * What one tensor-parallel rank holds. Grouped heads are split, at least one each: kvHeadsLocal = max(1, heads / N).
 * A latent is the same on every rank and is not split.
 */
export function modelGeometry(
  shape: ModelShape,
  tensorParallel: number,
  pointer: string,
): Answer<{ readonly geometry: ModelGeometry }> {
  const { numLayers } = shape;
  if (shape.attention === 'mla') {
    return { geometry: { numLayers, outerDim: 1, innerDim: shape.kvLoraRank + shape.qkRopeHeadDim } };
  }
  const { numKvHeads, headDim } = shape;
  if (numKvHeads % tensorParallel !== 0 && tensorParallel % numKvHeads !== 0) {
    const expected = `a divisor or a multiple of the model's ${numKvHeads} KV heads`;
    return { fault: { pointer, expected, received: showValue(tensorParallel) } };
  }
  return {
    geometry: { numLayers, outerDim: 2, innerDim: Math.max(1, numKvHeads / tensorParallel) * headDim },
  };
}
