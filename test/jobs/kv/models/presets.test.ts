import t from 'tap';
import { SpecFiles } from '../../../../runner/job-spec/files.js';
import { findModelGeometry, modelPresets } from '../../../../jobs/kv/models/find-model.js';
import { geometryBytes } from '../../../../jobs/kv/models/geometry.js';

/** Bytes of a token at 2 bytes per element: inside every window, beyond them, index caches. Worked out by hand. */
const PUBLISHED: Readonly<Record<string, readonly [number, number, number]>> = {
  'llama-3.1-8b': [131_072, 131_072, 0],
  'llama-3.1-70b': [327_680, 327_680, 0],
  'llama-3.1-405b': [516_096, 516_096, 0],
  'llama-4-scout': [196_608, 49_152, 0],
  'llama-4-maverick': [196_608, 49_152, 0],
  'qwen3-0.6b': [114_688, 114_688, 0],
  'qwen3-8b': [147_456, 147_456, 0],
  'qwen3-32b': [262_144, 262_144, 0],
  'qwen3-30b-a3b': [98_304, 98_304, 0],
  'qwen3-235b-a22b': [192_512, 192_512, 0],
  'qwen3-coder-480b-a35b': [253_952, 253_952, 0],
  'qwen3.5-27b': [65_536, 65_536, 0],
  'qwen3.5-35b-a3b': [20_480, 20_480, 0],
  'qwen3.5-122b-a10b': [24_576, 24_576, 0],
  'qwen3.5-397b-a17b': [30_720, 30_720, 0],
  'mixtral-8x7b': [131_072, 131_072, 0],
  'mixtral-8x22b': [229_376, 229_376, 0],
  'mistral-small-3.1-24b': [163_840, 163_840, 0],
  'gpt-oss-120b': [73_728, 36_864, 0],
  'gpt-oss-20b': [49_152, 24_576, 0],
  'minimax-m1': [40_960, 40_960, 0],
  'minimax-m2.5': [253_952, 253_952, 0],
  'minimax-m3': [122_880, 122_880, 7_524],
  'deepseek-v3': [70_272, 70_272, 0],
  'deepseek-r1': [70_272, 70_272, 0],
  'deepseek-v3.2': [70_272, 70_272, 8_052],
  'deepseek-v4-flash': [44_032, 6_880, 1_344],
  'deepseek-v4-pro': [62_464, 9_848, 1_920],
  'kimi-k2': [70_272, 70_272, 0],
  'kimi-k2.5': [70_272, 70_272, 0],
  'kimi-linear-48b-a3b': [8_064, 8_064, 0],
  'glm-4.5': [376_832, 376_832, 0],
  'glm-5': [89_856, 89_856, 10_296],
  'glm-5.1': [89_856, 89_856, 10_296],
  'gemma-3-27b': [507_904, 81_920, 0],
  'gemma-4-26b-a4b': [225_280, 20_480, 0],
  'gemma-4-e2b': [18_432, 6_144, 0],
  'nemotron-3-nano-30b-a3b': [6_144, 6_144, 0],
  'nemotron-3-super-120b-a12b': [8_192, 8_192, 0],
  'mimo-v2-flash': [222_720, 23_040, 0],
  'step-3.7-flash': [184_320, 49_152, 0],
  'longcat-flash': [64_512, 64_512, 0],
  'falcon-h1-34b': [147_456, 147_456, 0],
  'jamba-1.5-mini': [16_384, 16_384, 0],
  'granite-4.0-h-small': [16_384, 16_384, 0],
  'command-a': [262_144, 65_536, 0],
};

t.test("every preset's bytes, as published", async (t) => {
  t.same(Object.keys(modelPresets()).sort(), Object.keys(PUBLISHED).sort());
  t.ok(Object.keys(PUBLISHED).length >= 40);
  const files = new SpecFiles([]);
  for (const [name, [fresh, beyond, index]] of Object.entries(PUBLISHED)) {
    const found = findModelGeometry(name, '', files);
    if ('issue' in found) {
      t.fail(`${name}: ${JSON.stringify(found.issue)}`);
      continue;
    }
    const expected = { bytesPerToken: fresh, bytesPerTokenBeyondWindow: beyond, indexBytesPerToken: index };
    t.same(geometryBytes(found.geometry.groups), expected, name);
  }
});

t.test('every preset says where its numbers are from', async (t) => {
  for (const [name, { source }] of Object.entries(modelPresets())) {
    t.match(source, /^config\.json of [\w.-]+\/[\w.-]+ on Hugging Face/, name);
  }
});
