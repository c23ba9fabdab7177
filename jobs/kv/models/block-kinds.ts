/** Kinds of layers that are not said by a word per layer: blocks of Nemotron-NAS, and patterns of classes. */
import { isOff, type ConfigKeys, type ConfigObject } from './config-keys.js';
import { chunked, full, fullWithState, nothing, state, windowed, type LayerKind } from './layer-kinds.js';
import { ATTENTION_AND_STATE, CLASS_PATTERNS } from './model-types.js';
import { ConfigRefusal, show } from './refusal.js';
import { isObject } from '../../../runner/job-spec/pointer.js';

/** What a block may say of its attention. */
const BLOCK_KEYS: ReadonlySet<string> = new Set([
  'n_heads_in_group',
  'no_op',
  'window_length',
  'num_sink_tokens',
  'replace_with_linear',
]);

/** What a block of block_configs (Nemotron-NAS) says of its attention. */
export function blockAttention(block: unknown): ConfigObject {
  const attention = isObject(block) ? block['attention'] : undefined;
  if (isObject(attention)) return attention;
  throw new ConfigRefusal('an object attention in each of block_configs', show(block));
}

/** Whether a block's attention is there, linear, or windowed. */
export function kindOfBlock(block: unknown): LayerKind {
  const attention = blockAttention(block);
  const unknown = Object.keys(attention).find((key) => !BLOCK_KEYS.has(key) && !isOff(attention[key]));
  const odd = unknown ?? (isOff(attention['num_sink_tokens']) ? undefined : 'num_sink_tokens');
  if (odd !== undefined && attention['no_op'] !== true) {
    throw new ConfigRefusal(
      `blocks without ${odd}`,
      `block_configs with attention.${odd} = ${show(attention[odd])}`,
    );
  }
  if (attention['no_op'] === true || attention['replace_with_linear'] === true) {
    return { ...nothing, word: attention['no_op'] === true ? 'no_op' : 'replace_with_linear' };
  }
  const window = attention['window_length'];
  if (isOff(window)) return full;
  if (typeof window === 'number' && Number.isSafeInteger(window) && window >= 1)
    return { ...windowed, window };
  throw new ConfigRefusal(
    'a window of whole tokens',
    `block_configs with attention.window_length = ${show(window)}`,
  );
}

/** The pattern that the type's class has where the file says none. */
export function classKinds(modelType: string, numLayers: number): readonly LayerKind[] | undefined {
  if (ATTENTION_AND_STATE.has(modelType)) return Array.from({ length: numLayers }, () => fullWithState);
  const pattern = Object.hasOwn(CLASS_PATTERNS, modelType) ? CLASS_PATTERNS[modelType] : undefined;
  if (pattern === undefined) return undefined;
  const window = modelType === 'llama4_text' ? chunked : windowed;
  const other = pattern.other === 'state' ? state : window;
  return Array.from({ length: numLayers }, (_, layer) => (pattern.full(layer, numLayers) ? full : other));
}

/** Cohere2-MoE: its first dense layers have a pattern of their own. */
export function kindsOfDensePrefix(keys: ConfigKeys, numLayers: number): readonly LayerKind[] {
  const prefix = 'first_k_dense_replace' in keys.config ? keys.size('first_k_dense_replace') : 0;
  const [ofPrefix, ofRest] = [
    keys.need(['prefix_dense_sliding_window_pattern']),
    keys.need(['sliding_window_pattern']),
  ];
  return Array.from({ length: numLayers }, (_, layer) => {
    const isFull = layer < prefix ? (layer + 1) % ofPrefix === 0 : (layer - prefix + 1) % ofRest === 0;
    return isFull ? full : windowed;
  });
}

/** DeepSeek-V4's list: tokens per compressed entry. Layers of ratio 4 choose their entries by an indexer. */
export const RATIOS: ReadonlyMap<unknown, LayerKind> = new Map([
  [0, { ...windowed, ratio: 0, word: 'ratio 0' }],
  [4, { ...windowed, ratio: 4, indexed: true, word: 'ratio 4' }],
  [128, { ...windowed, ratio: 128, word: 'ratio 128' }],
]);
