import t from 'tap';
import { parseConfig } from '../../../../jobs/kv/models/config-text.js';
import { readConfig } from '../../../../jobs/kv/models/read-config.js';
import { ConfigRefusal } from '../../../../jobs/kv/models/refusal.js';
import { REFUSED_KEYS } from './refused-keys.js';

const plain = {
  model_type: 'llama',
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 2,
  hidden_size: 512,
};

function refusal(config: unknown): string {
  try {
    readConfig(config);
  } catch (error) {
    if (!(error instanceof ConfigRefusal)) throw error;
    return `${error.refused.expected} | ${error.refused.received} | ${error.refused.hint ?? ''}`;
  }
  return 'taken';
}

/** What is wrong -> the words that name it. */
const REFUSED: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  [
    'a list of another length',
    { ...plain, layer_types: ['full_attention'] },
    /a list of 4 entries.*layer_types \| 1 entries/,
  ],
  [
    'an unknown kind of layer',
    { ...plain, layer_types: ['full_attention', 'warp', 'warp', 'warp'] },
    /layer_types with "warp"/,
  ],
  [
    'heads that do not divide',
    { ...plain, num_key_value_heads: 3 },
    /num_attention_heads = 8 with 3 KV heads/,
  ],
  ['a hidden size that does not divide', { ...plain, hidden_size: 513 }, /513 \/ 8/],
  ['a negative window', { ...plain, model_type: 'mistral', sliding_window: -1 }, /sliding_window = -1/],
  ['1e9 layers', { ...plain, num_hidden_layers: 1e9 }, /1 to 2048 \| num_hidden_layers = 1000000000/],
  ['half a head', { ...plain, num_key_value_heads: 2.5 }, /num_key_value_heads = 2\.5/],
  ['a count as text', { ...plain, num_hidden_layers: '4' }, /num_hidden_layers = "4"/],
  ['a count beyond 2^53', { ...plain, head_dim: 9007199254740993n }, /head_dim = 9007199254740993/],
  ['two numbers of layers', { ...plain, n_layer: 5 }, /num_hidden_layers = 4, n_layer = 5/],
  [
    'two lists that differ',
    {
      ...plain,
      model_type: 'qwen3_next',
      layer_types: ['full_attention', 'full_attention', 'full_attention', 'full_attention'],
      full_attention_interval: 4,
    },
    /layer 0: full_attention under layer_types, state under full_attention_interval/,
  ],
  [
    'a made-up hybrid',
    { ...plain, model_type: 'some_future_hybrid', attn_every_n: 8, mamba_d_state: 16 },
    /attn_every_n = 8 \| .*by hand/,
  ],
  ['a state without layers', { ...plain, mamba_d_state: 16 }, /mamba_d_state = 16/],
  [
    'heads of windows that are nowhere',
    { ...plain, swa_num_key_value_heads: 8 },
    /swa_num_key_value_heads = 8/,
  ],
  [
    'a window of an unknown type',
    { ...plain, model_type: 'brand_new', sliding_window: 128 },
    /sliding_window = 128/,
  ],
  [
    'an unknown list of one entry per layer',
    { ...plain, whatever_map: [0, 0, 1, 1] },
    /whatever_map = \[0,0,1,1\]/,
  ],
  [
    'an unknown cache',
    { ...plain, quantization_config: { kv_cache_scheme: { num_bits: 4 } } },
    /kv_cache_scheme/,
  ],
  ['all layers shared', { ...plain, num_kv_shared_layers: 4 }, /num_kv_shared_layers = 4/],
  ['an encoder-decoder', { ...plain, is_encoder_decoder: true }, /is_encoder_decoder = true/],
  ['T5', { model_type: 't5', num_layers: 6, d_model: 512 }, /encoder-decoder/],
  ['a type that shares caches', { ...plain, model_type: 'phi4flash' }, /share caches/],
  ['BERT', { ...plain, model_type: 'bert' }, /an encoder, which keeps no KV cache/],
  ['Mamba', { model_type: 'mamba', num_hidden_layers: 4 }, /a recurrent model/],
  ['only states', { ...plain, layer_types: ['mamba', 'mamba', 'mamba', 'mamba'] }, /no layer with attention/],
  ['an adapter', { peft_type: 'LORA', r: 8 }, /adapter_config\.json.*base model/],
  ["a tokenizer's", { tokenizer_class: 'X', added_tokens_decoder: {} }, /tokenizer_config\.json/],
  ['weights', { weight_map: {}, metadata: {} }, /index of weight files/],
  ['nothing', {}, /no key that says its layers/],
  ['a nested model under another name', { my_llm: plain }, /objects with layers: my_llm/],
  [
    'an unknown part of per_layer_config',
    { ...plain, per_layer_config: { '0': { sliding_window: 3 } } },
    /sliding_window = 3/,
  ],
];

t.test('bad input is named', async (t) => {
  t.equal(refusal(plain), 'taken');
  for (const [name, config, words] of [...REFUSED, ...REFUSED_KEYS]) t.match(refusal(config), words, name);
});

t.test('switches and factors are no geometry', async (t) => {
  const harmless = {
    ...plain,
    model_type: 'brand_new',
    attention_bias: true,
    attention_multiplier: 0.5,
    sliding_window: null,
    shared_anything: false,
    num_shared_experts: 2,
    rope_scaling: { factor: 8 },
    tie_word_embeddings: false,
  };
  t.equal(refusal(harmless), 'taken');
});

t.test('files that are no JSON say what they are', async (t) => {
  const texts: [string, RegExp][] = [
    ['version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n', /Git LFS pointer/],
    ['<!doctype html>', /a web page/],
    ['GGUF\u0003', /a GGUF file/],
    ['', /an empty file/],
    ['{"a": }', /not JSON/],
    [`{"n": 12345678901234567890, "deep": ${'['.repeat(100)}${']'.repeat(100)}}`, /64 levels/],
  ];
  for (const [text, words] of texts) t.throws(() => parseConfig(text), { message: words });
});
