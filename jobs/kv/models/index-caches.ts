/** Keys of sparse attention's indexers, which engines cache along with K and V. */
import { isObject } from '../../../runner/job-spec/pointer.js';
import { itemAt } from '../../../runner/values/items.js';
import { isOff, type ConfigKeys } from './config-keys.js';
import type { LayerKind } from './layer-kinds.js';
import { ConfigRefusal, show } from './refusal.js';

/** What one layer's indexer keeps for a token. */
export interface IndexShape {
  readonly dim: number;
  readonly dtypeWidthBytes: number;
  /** fp8 keys have a 4-byte scale for every 128 elements (vLLM and SGLang, DeepSeek-V3.2: 128 + 4 bytes). */
  readonly scaleBytes: number;
  /** Tokens that share one key. */
  readonly tokensPerKey: number;
}

const SCALE_BLOCK_ELEMENTS = 128;
const SCALE_BYTES = 4;

const eightBit = (dim: number): IndexShape => ({
  dim,
  dtypeWidthBytes: 1,
  scaleBytes: SCALE_BYTES * Math.ceil(dim / SCALE_BLOCK_ELEMENTS),
  tokensPerKey: 1,
});

/** The index cache of each layer; undefined: none. */
export type IndexOfLayer = (layer: number) => IndexShape | undefined;

/** One form in which a file says an indexer. */
interface IndexRule {
  readonly applies: (keys: ConfigKeys, kinds: readonly LayerKind[]) => boolean;
  readonly read: (keys: ConfigKeys, kinds: readonly LayerKind[]) => IndexOfLayer;
}

const isSparseOn = (keys: ConfigKeys): boolean => {
  const value = keys.config['sparse_attention_config'];
  return isObject(value) && value['use_sparse_attention'] !== false && !isOff(value);
};

const RULES: readonly IndexRule[] = [
  {
    // DeepSeek-V4: keys of compressed entries, in the width of the cache.
    applies: (_, kinds) => kinds.some((kind) => kind.ratio !== undefined),
    read: (keys, kinds) => {
      const dim = keys.need(['index_head_dim']);
      return (layer) => {
        const { indexed, ratio = 0 } = itemAt(kinds, layer);
        if (!indexed || ratio === 0) return undefined;
        return { dim, dtypeWidthBytes: 2, scaleBytes: 0, tokensPerKey: ratio };
      };
    },
  },
  { applies: isSparseOn, read: sparseAttention },
  {
    applies: (keys) => keys.has('indexer_head_dim'),
    read: (keys, kinds) => {
      const dim = keys.need(['indexer_head_dim']);
      const heads = keys.count(['indexer_kv_heads']) ?? 1;
      const tokensPerKey = keys.count(['indexer_compress_ratio']) ?? 1;
      keys.note('width of the index cache: taken as 2 bytes; no engine was read');
      const shape = { dim: dim * heads, dtypeWidthBytes: 2, scaleBytes: 0, tokensPerKey };
      return (layer) => (kinds[layer]?.attention === 'full' ? shape : undefined);
    },
  },
  {
    applies: (keys, kinds) =>
      keys.has('index_head_dim') || (keys.hasDefault('index_head_dim') && kinds.some((kind) => kind.indexed)),
    read: (keys, kinds) => {
      const shape = eightBit(keys.need(['index_head_dim']));
      const own = ownIndexers(keys, kinds.length);
      const isNamed = kinds.some((kind) => kind.indexed);
      return (layer) => {
        const kind = kinds[layer];
        const hasIndexer = isNamed ? kind?.indexed === true : kind?.attention === 'full';
        return hasIndexer && own(layer) ? shape : undefined;
      };
    },
  },
];

export function indexCaches(keys: ConfigKeys, kinds: readonly LayerKind[], modelType: string): IndexOfLayer {
  // Their classes use an indexer only in layers whose kind names it, or where indexer_head_dim turns it on.
  const isNamedOnly = modelType.startsWith('minimax_m3') && Object.hasOwn(keys.config, 'layer_types');
  if (isNamedOnly && !kinds.some((kind) => kind.indexed) && !isSparseOn(keys)) {
    for (const key of ['index_head_dim', 'index_block_size']) keys.peek(key);
    return () => undefined;
  }
  const rule = RULES.find(({ applies }) => applies(keys, kinds));
  if (rule !== undefined) return rule.read(keys, kinds);
  const isOptional = modelType.startsWith('qwen4_exp');
  if (!isOptional && kinds.some((kind) => kind.indexed)) keys.need(['index_head_dim']);
  return () => undefined;
}

/** MiniMax-M3: an index key in every layer that sparse_attention_freq marks. */
function sparseAttention(keys: ConfigKeys, kinds: readonly LayerKind[]): IndexOfLayer {
  const sparse = keys.inside('sparse_attention_config');
  const dim = sparse.need(['sparse_index_dim']);
  const marks = sparse.perLayer('sparse_attention_freq', kinds.length);
  keys.note(
    'width of the index cache: taken as fp8 with scales, as in DeepSeek-V3.2; the engine was not read',
  );
  for (const key of ['index_head_dim', 'index_block_size']) if (key in keys.config) keys.peek(key);
  return (layer) => (marks[layer] === 1 ? eightBit(dim) : undefined);
}

/** Layers with an indexer of their own; the others use the choice of an earlier layer and cache nothing. */
function ownIndexers(keys: ConfigKeys, numLayers: number): (layer: number) => boolean {
  if (keys.has('indexer_types')) {
    const types = keys.perLayer('indexer_types', numLayers);
    const odd = types.find((type) => type !== 'full' && type !== 'shared');
    if (odd !== undefined) throw new ConfigRefusal('full or shared under indexer_types', show(odd));
    return (layer) => types[layer] === 'full';
  }
  if (keys.has('index_topk_pattern')) {
    const pattern = keys.take('index_topk_pattern');
    const letters = typeof pattern === 'string' ? [...pattern] : pattern;
    if (
      !Array.isArray(letters) ||
      letters.length !== numLayers ||
      letters.some((letter) => !/^[FS]$/.test(String(letter)))
    ) {
      throw new ConfigRefusal(`${numLayers} letters F or S under index_topk_pattern`, show(pattern));
    }
    return (layer) => letters[layer] === 'F';
  }
  if (keys.has('index_topk_freq') && keys.config['index_topk_freq'] !== 1) {
    const period = keys.need(['index_topk_freq']);
    const offset = 'index_skip_topk_offset' in keys.config ? keys.size('index_skip_topk_offset') : 2;
    return (layer) => Math.max(layer - offset + 1, 0) % period === 0;
  }
  return () => true;
}
