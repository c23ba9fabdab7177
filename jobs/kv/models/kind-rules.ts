/** How a file says the kind of each layer: one rule per key, first that is there decides, the others must agree. */
import { isOff, type ConfigKeys } from './config-keys.js';
import {
  chunked,
  full,
  fullWithState,
  kindOfLetter,
  kindOfWord,
  nothing,
  state,
  windowed,
  type LayerKind,
} from './layer-kinds.js';
import { kindOfBlock, kindsOfDensePrefix, RATIOS } from './block-kinds.js';
import { ConfigRefusal, show } from './refusal.js';

export interface LayerCount {
  readonly numLayers: number;
  /** MTP layers behind them, which some lists include. */
  readonly numMtpLayers: number;
}

export interface KindRule {
  readonly key: string;
  /** Absent: the key is on. */
  readonly applies?: (keys: ConfigKeys, modelType: string) => boolean;
  readonly read: (keys: ConfigKeys, count: LayerCount, modelType: string) => readonly LayerKind[];
}

type Test = (layer: number) => boolean;

const layersBy = (numLayers: number, test: Test, yes: LayerKind, no: LayerKind): LayerKind[] =>
  Array.from({ length: numLayers }, (_, layer) => (test(layer) ? yes : no));

const words = (key: string): KindRule => ({
  key,
  read: (keys, { numLayers, numMtpLayers }) =>
    keys.perLayer(key, numLayers, numMtpLayers).map((word) => kindOfWord(key, word)),
});

/** A list of one flag per layer. */
const flags = (key: string, yes: LayerKind, no: LayerKind): KindRule => ({
  key,
  read: (keys, { numLayers, numMtpLayers }) =>
    keys.perLayer(key, numLayers, numMtpLayers).map((flag) => {
      if (flag === 1 || flag === true) return yes;
      if (flag === 0 || flag === false) return no;
      throw new ConfigRefusal(`0 or 1 for each layer under ${key}`, show(flag));
    }),
});

/** A list of the layers of one kind. */
const indices = (key: string, yes: LayerKind, no: LayerKind): KindRule => ({
  key,
  read: (keys, { numLayers }) => {
    const set = keys.layerSet(key, numLayers);
    return layersBy(numLayers, (layer) => set.has(layer), yes, no);
  },
});

/** The last of every `period` layers is full. */
const period = (key: string, other: LayerKind, applies?: KindRule['applies']): KindRule => ({
  key,
  ...(applies === undefined ? {} : { applies }),
  read: (keys, { numLayers }) => {
    const length = keys.need([key], numLayers * 1000);
    return layersBy(numLayers, (layer) => (layer + 1) % length === 0, full, other);
  },
});

const isNumber = (value: unknown): boolean => typeof value === 'number';

/** In the order in which engines look. */
export const KIND_RULES: readonly KindRule[] = [
  words('layers_block_type'),
  words('layer_types'),
  {
    key: 'compress_ratios',
    read: (keys, { numLayers, numMtpLayers }) =>
      keys.perLayer('compress_ratios', numLayers, numMtpLayers).map((ratio) => {
        const kind = RATIOS.get(ratio);
        if (kind !== undefined) return kind;
        throw new ConfigRefusal('ratios 0, 4 and 128 under compress_ratios', show(ratio));
      }),
  },
  {
    key: 'hybrid_override_pattern',
    read: (keys, { numLayers }) => {
      const pattern = keys.take('hybrid_override_pattern');
      const letters = typeof pattern === 'string' ? [...pattern] : [];
      if (letters.length !== numLayers) {
        const received = `${letters.length} letters in ${show(pattern)}`;
        throw new ConfigRefusal(
          `${numLayers} letters, one per layer, under hybrid_override_pattern`,
          received,
        );
      }
      return letters.map((letter) => kindOfLetter('hybrid_override_pattern', letter));
    },
  },
  flags('hybrid_layer_pattern', windowed, full),
  flags('attn_type_list', full, state),
  {
    key: 'attn_layer_period',
    applies: (keys) => keys.has('attn_layer_period') || keys.hasDefault('attn_layer_period'),
    read: (keys, { numLayers }, modelType) => {
      const length = keys.need(['attn_layer_period']);
      const offset = keys.count(['attn_layer_offset']) ?? 0;
      keys.take('attn_layer_offset');
      if (offset >= length) {
        const received = `attn_layer_offset = ${offset} with attn_layer_period = ${length}`;
        throw new ConfigRefusal('an offset below the period', received);
      }
      if (modelType !== 'zamba')
        return layersBy(numLayers, (layer) => layer % length === offset, full, state);
      // Zamba counts from its fourth layer; the third has attention as well.
      const test: Test = (layer) => layer === 2 || (layer >= 3 && (layer - 3) % length === offset);
      return layersBy(numLayers, test, fullWithState, state);
    },
  },
  period('full_attention_interval', state),
  {
    key: 'linear_attn_config',
    applies: (keys) => keys.inside('linear_attn_config').has('full_attn_layers'),
    read: (keys, { numLayers }) => {
      const linear = keys.inside('linear_attn_config');
      const layers = linear.layerSet('full_attn_layers', numLayers, 1);
      if (linear.has('kda_layers')) {
        const others = linear.layerSet('kda_layers', numLayers, 1);
        const both = [...others].some((layer) => layers.has(layer));
        if (both || others.size + layers.size !== numLayers) {
          const received = `${layers.size} in full_attn_layers, ${others.size} in kda_layers of ${numLayers} layers`;
          throw new ConfigRefusal('each layer in one list of linear_attn_config', received);
        }
      }
      return layersBy(numLayers, (layer) => layers.has(layer), full, state);
    },
  },
  indices('full_attn_idxs', full, state),
  indices('attn_layer_indices', full, state),
  indices('hybrid_layer_ids', fullWithState, state),
  indices('sliding_window_layers', windowed, full),
  indices('local_layer_ids', windowed, full),
  {
    key: 'block_configs',
    read: (keys, { numLayers }) =>
      keys.perLayer('block_configs', numLayers).map((block) => kindOfBlock(block)),
  },
  {
    key: 'attention_layers',
    read: (keys, count, modelType) => {
      // GPT-Neo's shorter spelling of the same list.
      keys.peek('attention_types');
      return words('attention_layers').read(keys, count, modelType);
    },
  },
  {
    key: 'block_types',
    read: (keys, { numLayers }) => {
      const tile = keys.take('block_types');
      if (!Array.isArray(tile)) throw new ConfigRefusal('a list under block_types', show(tile));
      const attention = windowed;
      return Array.from({ length: numLayers }, (_, layer) => {
        const kind = kindOfWord('block_types', tile[layer % tile.length]);
        return kind.attention === null ? kind : attention;
      });
    },
  },
  {
    key: 'layer_group_size',
    applies: (keys, modelType) => keys.has('layer_group_size') && modelType.startsWith('bailing'),
    read: (keys, { numLayers }) => {
      const size = keys.need(['layer_group_size']);
      const rest = Math.floor(numLayers / size) * size;
      return layersBy(numLayers, (layer) => (layer + 1) % size === 0 || layer >= rest, full, state);
    },
  },
  {
    key: 'no_rope_layers',
    applies: (keys, modelType) => keys.has('no_rope_layers') && modelType === 'llama4_text',
    read: (keys, count, modelType) => flags('no_rope_layers', chunked, full).read(keys, count, modelType),
  },
  {
    key: 'sliding_window_pattern',
    applies: (keys) =>
      typeof keys.config['sliding_window_pattern'] === 'string' &&
      !isOff(keys.config['sliding_window_pattern']),
    read: (keys, { numLayers }) => {
      const pattern = String(keys.take('sliding_window_pattern'));
      if (!/^[LG]+$/.test(pattern)) {
        throw new ConfigRefusal(
          'letters L (window) and G (full) under sliding_window_pattern',
          show(pattern),
        );
      }
      return layersBy(
        numLayers,
        // Exaone-4's own code keeps the last layer full whatever the pattern says.
        (layer) => pattern[layer % pattern.length] === 'G' || layer === numLayers - 1,
        full,
        windowed,
      );
    },
  },
  period(
    'sliding_window_pattern',
    windowed,
    (keys, modelType) =>
      isNumber(keys.config['sliding_window_pattern']) &&
      keys.has('sliding_window_pattern') &&
      modelType !== 'cohere2_moe',
  ),
  period('_sliding_window_pattern', windowed),
  period(
    'global_attn_every_n_layers',
    windowed,
    (keys, modelType) => keys.has('global_attn_every_n_layers') && modelType === 'afmoe',
  ),
  {
    key: 'global_attn_every_n_layers',
    applies: (keys, modelType) =>
      keys.has('global_attn_every_n_layers') && modelType === 'modernbert-decoder',
    read: (keys, { numLayers }) => {
      const length = keys.need(['global_attn_every_n_layers']);
      return layersBy(numLayers, (layer) => layer % length === 0, full, windowed);
    },
  },
  {
    key: 'prefix_dense_sliding_window_pattern',
    read: (keys, { numLayers }) => kindsOfDensePrefix(keys, numLayers),
  },
  {
    key: 'cross_attention_layers',
    read: (keys, { numLayers }) => {
      const set = keys.layerSet('cross_attention_layers', numLayers);
      return layersBy(
        numLayers,
        (layer) => set.has(layer),
        { ...nothing, word: 'cross_attention_layers' },
        full,
      );
    },
  },
];
