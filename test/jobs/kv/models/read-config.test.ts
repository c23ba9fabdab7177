import t from 'tap';
import { parseConfig } from '../../../../jobs/kv/models/config-text.js';
import { geometryBytes, type ModelGeometry } from '../../../../jobs/kv/models/geometry.js';
import { DEFAULT_READ, readConfig, type ReadOptions } from '../../../../jobs/kv/models/read-config.js';
import { CASES, plain } from './deciding-keys.js';
import { ABSENT_CASES } from './absent-keys.js';
import { CLASS_CASES, KIND_CASES } from './layer-kind-cases.js';
import { classKinds } from '../../../../jobs/kv/models/block-kinds.js';

const read = (config: unknown, options: Partial<ReadOptions> = {}): ModelGeometry =>
  readConfig(config, { ...DEFAULT_READ, ...options });
const summary = (config: unknown, options: Partial<ReadOptions> = {}): string =>
  read(config, options)
    .groups.map((group) => {
      const { name, layers, kvHeads, headDimK, headDimV, window } = group;
      return `${name} ${layers.join(',')} ${kvHeads}x${headDimK}/${headDimV}${window === null ? '' : ` w${window}`}`;
    })
    .join('; ');

t.test('only the deciding keys', async (t) => {
  for (const [name, config, expected] of [...CASES, ...KIND_CASES, ...ABSENT_CASES])
    t.equal(summary(config), expected, name);
});

t.test('layers that only the class decides', async (t) => {
  for (const [type, expected] of CLASS_CASES) {
    const kinds = classKinds(type, 12) ?? [];
    const full = kinds.flatMap((kind, layer) => (kind.attention === 'full' ? [layer] : []));
    t.same(full, expected, type);
  }
});

t.test('a compressing cache: an entry per token in the window, one per ratio beyond', async (t) => {
  const config = {
    model_type: 'deepseek_v4',
    num_hidden_layers: 3,
    num_attention_heads: 64,
    num_key_value_heads: 1,
    head_dim: 512,
    sliding_window: 128,
    index_head_dim: 128,
    compress_ratios: [0, 4, 128],
  };
  t.same(geometryBytes(read(config).groups), {
    bytesPerToken: 3 * 1024,
    indexBytesPerToken: 256 / 4,
    bytesPerTokenBeyondWindow: 1024 / 4 + 1024 / 128 + 256 / 4,
  });
});

t.test('index keys are 128 bytes and a scale of 4', async (t) => {
  const config = {
    ...plain,
    model_type: 'deepseek_v32',
    kv_lora_rank: 512,
    qk_rope_head_dim: 64,
    index_head_dim: 128,
  };
  t.match(geometryBytes(read(config).groups), { bytesPerToken: 4 * 1152, indexBytesPerToken: 4 * 132 });
});

t.test('MTP layers count when they are asked for', async (t) => {
  const config = { ...plain, num_key_value_heads: 2, num_nextn_predict_layers: 1 };
  t.equal(read(config).numLayers, 4);
  t.match(read(config).notes.join('\n'), /num_nextn_predict_layers = 1: MTP layers are not counted/);
  t.equal(summary(config, { mtp: true }), 'full 0,1,2,3,4 2x64/64');
  const layer_types = ['full_attention', ...Array.from({ length: 4 }, () => 'sliding_attention')];
  const listed = { ...config, sliding_window: 16, layer_types };
  t.equal(
    summary(listed, { mtp: true }),
    'full 0 2x64/64; window 1,2,3,4 2x64/64 w16',
    'as the list goes on',
  );
});

t.test('what decided and what was assumed', async (t) => {
  const unknown = read({ ...plain, model_type: 'brand_new', num_key_value_heads: 2 });
  t.same(unknown.decidedBy, [
    'hidden_size',
    'num_attention_heads',
    'num_hidden_layers',
    'num_key_value_heads',
  ]);
  t.match(unknown.notes.join('\n'), /model_type "brand_new" is not in this reader's table/);
  t.match(read(plain).notes.join('\n'), /as many as query heads/);
  const windows = read({ model_type: 'gemma3_text', num_hidden_layers: 6, hidden_size: 2304 });
  const ofWindow = windows.notes.filter((note) => note.startsWith('sliding_window is absent: 4096'));
  t.equal(ofWindow.length, 1, 'said once for five layers');
});

/** Where engines differ, or the file says what engines do not do. */
const NOTED: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  ['float32', { torch_dtype: 'float32' }, /^the file says float32; engines serve it in 2 bytes/],
  [
    'layers that share K and V',
    { use_cla: true, cla_share_factor: 2 },
    /^use_cla: the model shares K and V over 2 layers; vLLM and SGLang keep a copy/,
  ],
  [
    'sparse MLA in 8 bits',
    {
      model_type: 'deepseek_v32',
      kv_lora_rank: 512,
      index_head_dim: 128,
      quantization_config: { kv_cache_scheme: 'fp8' },
    },
    /^vLLM's fp8 format of sparse MLA .* 656 bytes/,
  ],
  ['latents that vLLM expands', { model_type: 'minicpm3' }, /^vLLM expands the latent of minicpm3/],
  [
    'pooled index rows',
    { model_type: 'deepseek_v32', index_head_dim: 128, index_kpool: 4 },
    /^index_kpool: transformers keeps wider index rows/,
  ],
];

t.test('notes of what engines do otherwise', async (t) => {
  for (const [name, config, words] of NOTED) {
    const { notes } = read({ ...plain, num_key_value_heads: 2, ...config });
    t.equal(notes.filter((note) => words.test(note)).length, 1, `${name}: ${notes.join('; ')}`);
    t.notOk(
      read({ ...plain, num_key_value_heads: 2 }).notes.some((note) => words.test(note)),
      name,
    );
  }
});

t.test('8-bit caches: in the file, next to it, by hand', async (t) => {
  const width = (config: unknown, options: Partial<ReadOptions> = {}): number | undefined =>
    read(config, options).groups[0]?.dtypeWidthBytes;
  const quantized = { ...plain, quantization_config: { kv_cache_scheme: { num_bits: 8, type: 'float' } } };
  t.equal(width(plain), 2);
  t.equal(width(quantized), 1);
  t.equal(width({ ...plain, quantization_config: { kv_cache_scheme: 'FP8' } }), 1);
  t.equal(width(plain, { quantConfig: { quantization: { kv_cache_quant_algo: 'FP8' } } }), 1);
  t.equal(width(quantized, { dtypeWidthBytes: 2 }), 2);
  t.equal(width({ ...plain, quantization_config: { quant_method: 'fp8', kv_cache_scheme: null } }), 2);
  t.match(read(quantized).decidedBy, [
    'hidden_size',
    'num_attention_heads',
    'num_hidden_layers',
    /kv_cache_scheme/,
  ]);
});

t.test('text as Python writes it', async (t) => {
  const text = `\uFEFF{"a": Infinity, "b": [-Infinity, NaN], "c": "Infinity NaN 12345678901234567890", "d": 12345678901234567890, "e": 0.19611613513818404}`;
  t.same(parseConfig(text), {
    a: Infinity,
    b: [-Infinity, NaN],
    c: 'Infinity NaN 12345678901234567890',
    d: 12345678901234567890n,
    e: 0.19611613513818404,
  });
});

t.test('the sum over groups is the whole, and shards are the whole and what is replicated', async (t) => {
  const { splitGroups } = await import('../../../../jobs/kv/models/split-groups.js');
  const { modelPresets } = await import('../../../../jobs/kv/models/find-model.js');
  for (const [name, { config }] of Object.entries(modelPresets())) {
    const { groups } = read(config);
    const whole = geometryBytes(groups);
    const sum = groups.reduce((total, group) => total + group.bytesPerToken, 0);
    t.equal(sum, whole.bytesPerToken + whole.indexBytesPerToken, name);
    for (const ranks of [2, 4, 8]) {
      const split = splitGroups(groups, ranks);
      if (!('groups' in split)) continue;
      const shards = split.groups.reduce((total, group) => total + ranks * group.bytesPerToken, 0);
      const copies = groups.reduce((total, group) => {
        const parts = group.kind === 'kv' ? Math.min(ranks, group.kvHeads) : 1;
        return total + (ranks / parts - 1) * group.bytesPerToken;
      }, 0);
      t.equal(shards, sum + copies, `${name} over ${ranks} ranks`);
    }
  }
});
