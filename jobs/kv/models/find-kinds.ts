/** The kind of every layer: by the file's keys, else by the pattern of the type's class, else all alike. */
import { isOff, type ConfigKeys } from './config-keys.js';
import { classKinds } from './block-kinds.js';
import { KIND_RULES, type KindRule, type LayerCount } from './kind-rules.js';
import { full, windowed, type LayerKind } from './layer-kinds.js';
import { WINDOW_FROM_LAYER, WINDOW_IN_EVERY_LAYER, WINDOW_UNUSED } from './model-types.js';
import { ConfigRefusal, show } from './refusal.js';

/** Keys that say a window in tokens, in the order in which they are heeded. */
const WINDOW_KEYS = [
  'sliding_window',
  'sliding_window_size',
  'attention_window_size',
  'window_size',
] as const;

export interface FoundKinds {
  /** One per layer, then one per MTP layer where the file's list goes on. */
  readonly kinds: readonly LayerKind[];
  /** The file or the class says which layers have no KV cache: keys of states explain themselves. */
  readonly isExplicit: boolean;
}

export function findKinds(keys: ConfigKeys, count: LayerCount, modelType: string): FoundKinds {
  const rules = KIND_RULES.filter((rule) => rule.applies?.(keys, modelType) ?? keys.has(rule.key));
  const [first, ...others] = rules;
  if (first !== undefined) {
    const kinds = first.read(keys, count, modelType);
    for (const other of others) mustAgree(keys, count, modelType, first.key, kinds, other);
    const spare = WINDOW_KEYS.find((key) => keys.has(key));
    if (spare !== undefined && kinds.every((kind) => kind.attention !== 'window')) {
      keys.note(`${spare} = ${show(keys.peek(spare))} is not used: ${first.key} has no windowed layer`);
    }
    seen(keys, [...WINDOW_KEYS, 'max_window_layers', 'use_sliding_window']);
    return { kinds, isExplicit: true };
  }
  const byClass = classKinds(modelType, count.numLayers);
  if (byClass !== undefined) return { kinds: withoutWindow(keys, byClass, modelType), isExplicit: true };
  return { kinds: alike(keys, count.numLayers, modelType), isExplicit: false };
}

/** A file that says its layers twice says the same, or is not trusted. */
function mustAgree(
  keys: ConfigKeys,
  count: LayerCount,
  modelType: string,
  key: string,
  kinds: readonly LayerKind[],
  other: KindRule,
): void {
  const read = other.read(keys, count, modelType);
  const differs = (kind: LayerKind, layer: number): boolean => kind.attention !== read[layer]?.attention;
  const at = kinds.slice(0, count.numLayers).findIndex(differs);
  if (at < 0) return;
  throw new ConfigRefusal(
    `the same layers under ${key} and ${other.key}`,
    `layer ${at}: ${kinds[at]?.word} under ${key}, ${read[at]?.word} under ${other.key}`,
  );
}

/** A class with windowed layers has none where the file turns the window off. */
function withoutWindow(
  keys: ConfigKeys,
  kinds: readonly LayerKind[],
  modelType: string,
): readonly LayerKind[] {
  keys.decided.add('model_type');
  keys.note(`which layers keep what: not in the file, so by the class of ${modelType}`);
  if (kinds.every((kind) => kind.attention !== 'window' || kind.chunked)) return kinds;
  const isSaid = Object.hasOwn(keys.config, 'sliding_window');
  if (!isSaid || !isOff(keys.config['sliding_window'])) return kinds;
  keys.take('sliding_window');
  return kinds.map((kind) => (kind.attention === 'window' ? full : kind));
}

/** No key and no class says otherwise: every layer is full, or every layer has the window that sliding_window says. */
function alike(keys: ConfigKeys, numLayers: number, modelType: string): readonly LayerKind[] {
  const all = (kind: LayerKind): LayerKind[] => Array.from({ length: numLayers }, () => kind);
  const said = keys.config['sliding_window'];
  if (Array.isArray(said)) return windowsByLayer(keys, numLayers);
  if (WINDOW_UNUSED.has(modelType)) {
    seen(keys, ['sliding_window']);
    return all(full);
  }
  const from = WINDOW_FROM_LAYER.get(modelType);
  if (from !== undefined || keys.either('use_sliding_window') === false) {
    return from === undefined ? unusedWindow(keys, all(full)) : windowsFromLayer(keys, all(full), from);
  }
  if (!WINDOW_IN_EVERY_LAYER.has(modelType)) return all(full);
  const isOn = keys.has('sliding_window') || keys.hasDefault('sliding_window');
  if (!isOn) keys.take('sliding_window');
  return all(isOn ? windowed : full);
}

function unusedWindow(keys: ConfigKeys, kinds: readonly LayerKind[]): readonly LayerKind[] {
  seen(keys, ['sliding_window', 'max_window_layers', 'use_sliding_window']);
  if (keys.has('sliding_window')) keys.decided.add('use_sliding_window');
  return kinds;
}

/** Qwen's rule: with use_sliding_window, layers from max_window_layers on have the window. */
function windowsFromLayer(
  keys: ConfigKeys,
  kinds: readonly LayerKind[],
  rule: { readonly onRequest: boolean },
): readonly LayerKind[] {
  const isOn = !rule.onRequest || keys.either('use_sliding_window') === true;
  if (!isOn || !keys.has('sliding_window')) return unusedWindow(keys, kinds);
  const from = keys.count(['max_window_layers']) ?? 0;
  keys.take('max_window_layers');
  keys.take('use_sliding_window');
  return kinds.map((kind, layer) => (layer >= from ? windowed : kind));
}

/** sliding_window as a list: a number per windowed layer, null for a full one. */
function windowsByLayer(keys: ConfigKeys, numLayers: number): readonly LayerKind[] {
  return keys.perLayer('sliding_window', numLayers).map((window) => {
    if (window === null) return full;
    return { ...windowed, window: keys.check('sliding_window', window) };
  });
}

function seen(keys: ConfigKeys, names: readonly string[]): void {
  for (const name of names) if (name in keys.config) keys.peek(name);
}

/** Tokens that a windowed layer keeps. Every key that says a window must say the same. */
export function windowTokens(keys: ConfigKeys, kind: LayerKind): number {
  if (kind.window !== undefined) return kind.window;
  if (kind.chunked) return keys.need(['attention_chunk_size']);
  if (keys.first(WINDOW_KEYS) === undefined && keys.has('local_attention')) {
    return Math.floor(keys.need(['local_attention']) / 2);
  }
  // ModernBERT-decoder's older name counts both sides of a token.
  keys.peek('local_attention');
  const tokens = keys.need([...WINDOW_KEYS]);
  for (const key of [...WINDOW_KEYS, 'attention_chunk_size']) {
    if (!keys.has(key)) continue;
    const other = keys.check(key, keys.peek(key));
    if (other === tokens) continue;
    throw new ConfigRefusal('one window', `${key} = ${other} together with a window of ${tokens}`);
  }
  return tokens;
}
