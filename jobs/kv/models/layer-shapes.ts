/** The shape of each layer: the plain one, changed by what the file says of windowed, full or single layers. */
import { isObject } from '../../../runner/job-spec/pointer.js';
import { isOff, type ConfigKeys } from './config-keys.js';
import type { BaseShape, TokenShape } from './head-sizes.js';
import type { LayerKind } from './layer-kinds.js';
import { ConfigRefusal, show } from './refusal.js';

/** Keys that give layers of one kind sizes of their own. */
interface KindSizes {
  readonly kvHeads: readonly string[];
  readonly headDimK: readonly string[];
  readonly headDimV: readonly string[];
}

const WINDOW_SIZES: KindSizes = {
  kvHeads: ['swa_num_key_value_heads', 'num_swa_key_value_heads'],
  headDimK: ['swa_head_dim'],
  headDimV: ['swa_v_head_dim'],
};

const FULL_SIZES: KindSizes = {
  kvHeads: ['num_global_key_value_heads'],
  headDimK: ['global_head_dim'],
  headDimV: [],
};

/** What a layer of per_layer_config may say. Query heads are not kept. */
const PER_LAYER_KEYS: ReadonlySet<string> = new Set([
  'head_dim',
  'num_key_value_heads',
  'num_attention_heads',
]);

export type ShapeOfLayer = (layer: number) => TokenShape;

export function layerShapes(
  keys: ConfigKeys,
  base: BaseShape,
  kinds: readonly LayerKind[],
  modelType: string,
): ShapeOfLayer {
  const has = (attention: 'full' | 'window'): boolean => kinds.some((kind) => kind.attention === attention);
  const { shape } = base;
  const compressed = kinds.some((kind) => kind.ratio !== undefined || kind.ratioUnder !== undefined);
  if (compressed) return () => ({ latent: true, kvHeads: 1, headDimK: shape.headDimK, headDimV: 0 });
  if (shape.latent) return () => shape;
  const window = has('window') ? windowShape(keys, shape, modelType) : shape;
  const plainFull = has('full') ? fullShape(keys, shape, modelType) : shape;
  const overrides = perLayerShapes(keys, kinds.length, shape);
  return (layer) => {
    const ofKind = kinds[layer]?.attention === 'window' ? window : plainFull;
    const kvHeads = base.kvHeadsByLayer?.[layer] ?? ofKind.kvHeads;
    return overrides.get(layer) ?? { ...ofKind, kvHeads };
  };
}

function withSizes(keys: ConfigKeys, base: TokenShape, sizes: KindSizes): TokenShape {
  const headDimK = keys.count(sizes.headDimK);
  return {
    latent: false,
    kvHeads: keys.count(sizes.kvHeads) ?? base.kvHeads,
    headDimK: headDimK ?? base.headDimK,
    headDimV:
      keys.count(sizes.headDimV) ?? (base.headDimV === base.headDimK ? headDimK : undefined) ?? base.headDimV,
  };
}

function windowShape(keys: ConfigKeys, base: TokenShape, modelType: string): TokenShape {
  const other = keys.inside('attention_other_setting');
  if (other.has('attention_type')) {
    if (other.peek('attention_type') !== 'sliding_attention') {
      const received = `attention_other_setting.attention_type = ${show(other.peek('attention_type'))}`;
      throw new ConfigRefusal('sliding_attention', received);
    }
    return withSizes(other, base, {
      kvHeads: ['num_attention_groups'],
      headDimK: ['head_dim'],
      headDimV: [],
    });
  }
  const shape = withSizes(keys, base, WINDOW_SIZES);
  const isSaid = keys.first([...WINDOW_SIZES.kvHeads]) !== undefined;
  if (modelType !== 'mimo_v2_flash' || isSaid) return shape;
  // The class of transformers has no swa_ keys: its windowed layers have twice the KV heads, in code.
  keys.note('windowed layers have twice num_key_value_heads: by the class of mimo_v2_flash');
  return { ...shape, kvHeads: 2 * base.kvHeads };
}

/** Gemma-4: full layers have head size and, where K and V are one projection, heads of their own. */
function fullShape(keys: ConfigKeys, base: TokenShape, modelType: string): TokenShape {
  if (!modelType.startsWith('gemma4') || isObject(keys.config['per_layer_config'])) return base;
  const sharesProjection = keys.take('attention_k_eq_v') === true;
  if (!sharesProjection) keys.peek('num_global_key_value_heads');
  return withSizes(keys, base, sharesProjection ? FULL_SIZES : { ...FULL_SIZES, kvHeads: [] });
}

/** per_layer_config of transformers 5: {"05": {"head_dim": 512}}. */
function perLayerShapes(keys: ConfigKeys, numLayers: number, base: TokenShape): Map<number, TokenShape> {
  const shapes = new Map<number, TokenShape>();
  if (isOff(keys.config['per_layer_config'])) return shapes;
  const value = keys.take('per_layer_config');
  if (!isObject(value)) throw new ConfigRefusal('an object under per_layer_config', show(value));
  for (const [name, sizes] of Object.entries(value)) {
    const layer = /^\d+$/.test(name) ? Number(name) : -1;
    const expected = `layers 0 to ${numLayers - 1} with ${[...PER_LAYER_KEYS].join(', ')} under per_layer_config`;
    if (layer < 0 || layer >= numLayers || !isObject(sizes)) {
      throw new ConfigRefusal(expected, `${name}: ${show(sizes)}`);
    }
    const unknown = Object.keys(sizes).find((key) => !PER_LAYER_KEYS.has(key));
    if (unknown !== undefined)
      throw new ConfigRefusal(expected, `${name}: ${unknown} = ${show(sizes[unknown])}`);
    const inner = keys.inside('per_layer_config').inside(name);
    shapes.set(
      layer,
      withSizes(inner, base, { kvHeads: ['num_key_value_heads'], headDimK: ['head_dim'], headDimV: [] }),
    );
  }
  return shapes;
}
