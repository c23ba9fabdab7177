/** A config.json as JSON -> what the model keeps for its tokens. Pure; the rules are tables in the files of this folder. */
import { ConfigKeys, type ConfigObject } from './config-keys.js';
import { elementWidth } from './element-width.js';
import { findKinds, windowTokens } from './find-kinds.js';
import type { LayersWithout, ModelGeometry } from './geometry.js';
import { groupLayers, type LayerCache } from './group-layers.js';
import { baseShape } from './head-sizes.js';
import { indexCaches } from './index-caches.js';
import { findLanguageModel, LAYER_KEYS } from './language-model.js';
import type { LayerKind } from './layer-kinds.js';
import { layerShapes } from './layer-shapes.js';
import { ATTENTIONS_PER_LAYER, classDefaults, isKnownType } from './model-types.js';
import { modelNotes } from './model-notes.js';
import { ConfigRefusal, layerList, show } from './refusal.js';
import { stateElements } from './states.js';
import { refuseUnusedKeys } from './unused-keys.js';

/** The deepest model in use has 162 layers. */
const MOST_LAYERS = 2048;
/** More shapes than any model has: a file of noise. */
const MOST_GROUPS = 64;

export interface ReadOptions {
  /** layout.dtypeWidthBytes; null: what the file says, else 2. */
  readonly dtypeWidthBytes: number | null;
  /** Counts the layers of multi-token prediction as well. */
  readonly mtp: boolean;
  /** hf_quant_config.json of the same folder, as JSON. */
  readonly quantConfig: ConfigObject | null;
}

export const DEFAULT_READ: ReadOptions = { dtypeWidthBytes: null, mtp: false, quantConfig: null };

const MTP_KEYS = [
  'num_nextn_predict_layers',
  'num_mtp_modules',
  'mtp_num_hidden_layers',
  'num_mtp_layers',
] as const;

/** Throws ConfigRefusal for a file that it cannot read with certainty. */
export function readConfig(document: unknown, options: ReadOptions = DEFAULT_READ): ModelGeometry {
  const model = findLanguageModel(document);
  const modelType = model.modelType ?? '';
  const keys = new ConfigKeys(model.config, classDefaults(modelType));
  const width = elementWidth(model.outer, options.quantConfig, options.dtypeWidthBytes);
  const numLayers = layerCount(keys, modelType);
  const mtpKey = keys.first(MTP_KEYS);
  const numMtpLayers = mtpKey === undefined ? 0 : keys.check(mtpKey, keys.peek(mtpKey), MOST_LAYERS);
  const count = { numLayers, numMtpLayers };
  const { kinds: listed, isExplicit } = findKinds(keys, count, modelType);
  const kinds = withMtp(keys, listed, count, options.mtp ? numMtpLayers : 0, mtpKey);
  const base = baseShape(keys, modelType, numLayers);
  const shapeOf = layerShapes(keys, base, kinds, modelType);
  const indexOf = indexCaches(keys, kinds.slice(0, numLayers), modelType);
  const shared = sharedLayers(keys, kinds, numLayers);
  const layers = kinds.map((kind, layer): LayerCache => {
    const modelLayer = Math.min(layer, numLayers - 1);
    if (shared.has(layer) || kind.attention === null) return { layer, hasState: kind.state };
    const window = kind.attention === 'window' ? windowTokens(keys, kind) : null;
    const compression = compressionOf(keys, kind);
    const index = indexOf(modelLayer);
    return {
      layer,
      attention: { shape: shapeOf(modelLayer), window, ...(compression ? { compression } : {}) },
      ...(index ? { index } : {}),
      hasState: kind.state,
    };
  });
  modelNotes({ keys, modelType, isKnown: isKnownType(modelType), model, width, kinds, mtpKey, options });
  refuseUnusedKeys(keys, { numLayers, numMtpLayers, isExplicit });
  const groups = groupLayers(layers, width.dtypeWidthBytes, stateElements(keys));
  refuseEmpty(
    groups.length,
    groups.every((group) => group.kind === 'state'),
  );
  const without = layersWithout(kinds, shared);
  return {
    modelType: model.modelType,
    numLayers: kinds.length,
    groups,
    without,
    decidedBy: [...keys.decided, ...(width.key === null ? [] : [width.key])].sort(),
    notes: keys.notes,
  };
}

function refuseEmpty(numGroups: number, hasStatesOnly: boolean): void {
  const expected = 'a model with a KV cache';
  if (hasStatesOnly) throw new ConfigRefusal(expected, 'no layer with attention: only states are kept');
  if (numGroups > MOST_GROUPS)
    throw new ConfigRefusal(`at most ${MOST_GROUPS} different shapes of layers`, `${numGroups}`);
}

/** Layers with a cache: every name must say the same, and a list stands for a missing number. */
function layerCount(keys: ConfigKeys, modelType: string): number {
  const perLayer = Object.hasOwn(ATTENTIONS_PER_LAYER, modelType)
    ? (ATTENTIONS_PER_LAYER[modelType] ?? 1)
    : 1;
  if (perLayer > 1 && (keys.has('num_layers') || keys.hasDefault('num_layers'))) {
    const layers = keys.need(['num_layers'], MOST_LAYERS);
    keys.peek('num_hidden_layers');
    keys.decided.add('model_type');
    keys.note(`${modelType} has ${perLayer} attentions in each of its ${layers} layers, each with a cache`);
    return perLayer * layers;
  }
  const said = LAYER_KEYS.filter((key) => keys.has(key));
  const [first, ...others] = said;
  if (first === undefined) return countByList(keys);
  const numLayers = keys.need([first], MOST_LAYERS);
  for (const key of others) {
    if (keys.peek(key) === numLayers) continue;
    throw new ConfigRefusal(
      'one number of layers',
      `${first} = ${numLayers}, ${key} = ${show(keys.config[key])}`,
    );
  }
  return numLayers;
}

function countByList(keys: ConfigKeys): number {
  for (const key of ['layers_block_type', 'layer_types', 'hybrid_override_pattern', 'attention_layers']) {
    const value = keys.config[key];
    if ((Array.isArray(value) || typeof value === 'string') && value.length > 0) {
      keys.take(key);
      return keys.check(`length of ${key}`, value.length, MOST_LAYERS);
    }
  }
  return keys.need(LAYER_KEYS, MOST_LAYERS);
}

/** MTP layers have the kind that the list says, else that of the last attention of the model. */
function withMtp(
  keys: ConfigKeys,
  listed: readonly LayerKind[],
  { numLayers }: { readonly numLayers: number },
  numMtpLayers: number,
  mtpKey: string | undefined,
): readonly LayerKind[] {
  const own = listed.slice(0, numLayers);
  if (numMtpLayers === 0 || mtpKey === undefined) return own;
  keys.decided.add(mtpKey);
  const behind = listed.slice(numLayers);
  const last = own.findLast((kind) => kind.attention !== null);
  if (behind.length > 0 || last === undefined) return [...own, ...behind];
  keys.note(
    `${mtpKey} = ${numMtpLayers}: MTP layers are taken to keep what the model's last attention keeps`,
  );
  return [...own, ...Array.from({ length: numMtpLayers }, () => last)];
}

/** The last num_kv_shared_layers use the cache of earlier layers (Gemma 3n and 4). */
function sharedLayers(keys: ConfigKeys, kinds: readonly LayerKind[], numLayers: number): ReadonlySet<number> {
  const numShared = keys.count(['num_kv_shared_layers']) ?? 0;
  if (numShared === 0) return new Set();
  if (numShared >= numLayers) {
    throw new ConfigRefusal(`fewer than the ${numLayers} layers`, `num_kv_shared_layers = ${numShared}`);
  }
  return new Set(
    kinds.map((_, layer) => layer).filter((layer) => layer >= numLayers - numShared && layer < numLayers),
  );
}

function compressionOf(keys: ConfigKeys, kind: LayerKind): { how: 'aged'; ratio: number } | undefined {
  if (kind.ratio !== undefined) return { how: 'aged', ratio: kind.ratio };
  if (kind.ratioUnder === undefined) return undefined;
  return { how: 'aged', ratio: keys.inside('compress_rates').need([kind.ratioUnder]) };
}

function layersWithout(kinds: readonly LayerKind[], shared: ReadonlySet<number>): LayersWithout[] {
  const byWhy = new Map<string, number[]>();
  kinds.forEach((kind, layer) => {
    const isBare = kind.attention === null && !kind.state;
    if (!isBare && !shared.has(layer)) return;
    const why = shared.has(layer) ? 'use the cache of an earlier layer (num_kv_shared_layers)' : kind.word;
    byWhy.set(why, [...(byWhy.get(why) ?? []), layer]);
  });
  return [...byWhy].map(([why, layers]) => ({ layers, why }));
}

/** "layers 3, 7: no_op", for texts. */
export function describeWithout({ layers, why }: LayersWithout): string {
  const keep = layers.length === 1 ? 'keeps no KV of its own' : 'keep no KV of their own';
  return `${layerList(layers)} ${keep}: ${why}`;
}
