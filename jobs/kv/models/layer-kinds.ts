/** The words for a layer's attention in configuration files, and what each keeps. */
import { ConfigRefusal, show } from './refusal.js';

/** What one layer keeps, before its sizes are known. */
export interface LayerKind {
  /** full: the whole context; window: its last tokens; null: no KV cache. */
  readonly attention: 'full' | 'window' | null;
  /** A recurrent or convolution state, without attention or in addition to it. */
  readonly state: boolean;
  /** The attention chooses tokens by an indexer, whose keys are cached as well. */
  readonly indexed: boolean;
  /** A cache of compressed entries in addition to a window (DeepSeek-V4): tokens per entry, 0 where nothing stays. */
  readonly ratio?: number;
  /** The same, where the file says the ratio under compress_rates by this word. */
  readonly ratioUnder?: string;
  /** Its own window, where windows differ by layer. */
  readonly window?: number;
  /** The window is that of chunks (attention_chunk_size). */
  readonly chunked?: boolean;
  /** The file's word, for messages. */
  readonly word: string;
}

const FULL = { attention: 'full', state: false, indexed: false } as const;
const WINDOW = { attention: 'window', state: false, indexed: false } as const;
const STATE = { attention: null, state: true, indexed: false } as const;
const NONE = { attention: null, state: false, indexed: false } as const;

type Shape = Omit<LayerKind, 'word'>;

const byShape = (shape: Shape, words: string): [string, Shape][] =>
  words.split(/\s+/).map((word) => [word, shape]);

/** Words of layer_types and layers_block_type. Every other word is refused. */
const WORDS: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ...byShape(FULL, 'full_attention attention full global global_attention softmax_attention self_attention'),
  ...byShape({ ...FULL, state: true }, 'hybrid'),
  ...byShape({ ...WINDOW, state: true }, 'hybrid_sliding'),
  ...byShape(
    { ...FULL, indexed: true },
    'indexed_attention deepseek_sparse_attention minimax_m3_sparse qwen_sparse_attention',
  ),
  ...byShape(WINDOW, 'sliding_attention sliding sliding_window swa local local_attention window_attention'),
  ...byShape({ ...WINDOW, chunked: true }, 'chunked_attention'),
  ...byShape(
    STATE,
    'linear_attention mamba mamba1 mamba2 ssm recurrent conv linear kda gdn gated_deltanet lightning_attention rwkv',
  ),
  ...byShape(NONE, 'moe mlp ffn'),
  ...byShape(
    { ...WINDOW, indexed: true, ratioUnder: 'compressed_sparse_attention' },
    'compressed_sparse_attention',
  ),
  ...byShape({ ...WINDOW, ratioUnder: 'heavily_compressed_attention' }, 'heavily_compressed_attention'),
]);

/** Letters of hybrid_override_pattern (Nemotron-H). */
const LETTERS: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ['*', FULL],
  ['M', STATE],
  ['-', NONE],
  ['E', NONE],
]);

export const full: LayerKind = { ...FULL, word: 'full' };
export const windowed: LayerKind = { ...WINDOW, word: 'window' };
export const chunked: LayerKind = { ...WINDOW, chunked: true, word: 'chunk' };
export const state: LayerKind = { ...STATE, word: 'state' };
export const nothing: LayerKind = { ...NONE, word: 'no attention' };
export const fullWithState: LayerKind = { ...FULL, state: true, word: 'hybrid' };

export function kindOfWord(key: string, word: unknown): LayerKind {
  return known(WORDS, key, word);
}

export function kindOfLetter(key: string, letter: string): LayerKind {
  return known(LETTERS, key, letter);
}

function known(words: ReadonlyMap<string, Shape>, key: string, word: unknown): LayerKind {
  const shape = typeof word === 'string' ? words.get(word) : undefined;
  if (shape === undefined) {
    throw new ConfigRefusal(
      `layer kinds that this reader knows under ${key}: ${[...words.keys()].join(', ')}`,
      `${key} with ${show(word)}`,
    );
  }
  return { ...shape, word: String(word) };
}
