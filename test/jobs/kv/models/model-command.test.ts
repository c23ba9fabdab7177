import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runCli } from '../../../helpers/run-cli.js';
import { withTempDir } from '../../../helpers/with-temp-dir.js';
import { parseJson } from '../../../helpers/json.js';

const config = {
  model_type: 'llama',
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  hidden_size: 512,
};

t.test('model --json has the shape that scripts read', async (t) => {
  const { status, stdout } = await runCli(['model', 'gpt-oss-20b', '--json']);
  t.equal(status, 0);
  const report = parseJson<Record<string, unknown>>(stdout);
  t.same(Object.keys(report), [
    'model',
    'groups',
    'bytesPerToken',
    'indexBytesPerToken',
    'bytesPerTokenBeyondWindow',
    'decidedBy',
    'notes',
  ]);
  t.match(report, { model: 'gpt-oss-20b', bytesPerToken: 49_152, bytesPerTokenBeyondWindow: 24_576 });
  t.same(Object.keys((report['groups'] as object[])[0] ?? {}).sort(), [
    'bytesPerToken',
    'dtypeWidthBytes',
    'headDimK',
    'headDimV',
    'kind',
    'kvHeads',
    'layers',
    'name',
    'window',
  ]);
});

t.test('a shard, pages and a context', async (t) => {
  const shard = ['--tensor-parallel', '2', '--page-size', '64', '--context', '1000', '--json'];
  const { stdout } = await runCli(['model', 'gpt-oss-20b', ...shard]);
  // Full: 16 pages of 64; window of 128: 3 pages. 12 layers each, K and V of 4 heads x 64 x 2 bytes.
  t.match(JSON.parse(stdout), { bytesPerToken: 24_576, contextBytes: 12 * 1024 * (16 * 64 + 3 * 64) });
  const text = await runCli(['model', 'gpt-oss-20b', '--page-size', '64', '--context', '1000']);
  t.match(text.stdout, /window .*\n.*\n.*full/);
  t.match(text.stdout, /decided by .*sliding_window/);
  const odd = await runCli(['model', 'gpt-oss-20b', '--tensor-parallel', '3']);
  t.match(odd, { status: 2, stdout: '', stderr: /group window's 8 KV heads/ });
  t.match(await runCli(['model', 'gpt-oss-20b', '--context', '0']), { status: 2, stderr: /--context/ });
});

t.test('files as users have them', async (t) => {
  await withTempDir(async (folder) => {
    const path = (name: string, text: string): string => {
      const full = join(folder, name);
      writeFileSync(full, text);
      return full;
    };
    const model = async (name: string): Promise<{ status: number | null; stdout: string; stderr: string }> =>
      runCli(['model', name, '--json']);
    mkdirSync(join(folder, 'checkout'));
    path('checkout/config.json', `\uFEFF${JSON.stringify(config)}`);
    t.match(JSON.parse((await model(join(folder, 'checkout'))).stdout), {
      bytesPerToken: 4 * 2 * 4 * 64 * 2,
    });
    path('checkout/hf_quant_config.json', JSON.stringify({ quantization: { kv_cache_quant_algo: 'FP8' } }));
    t.match(JSON.parse((await model(join(folder, 'checkout'))).stdout), { bytesPerToken: 4 * 2 * 4 * 64 });
    const limit = `{"time_step_limit": [0.0, Infinity], ${JSON.stringify(config).slice(1)}`;
    t.match(await model(path('infinity.json', limit)), { status: 0 });
    const long = JSON.stringify({
      ...config,
      ignored_modules: Array(300_000).fill('model.layers.0.self_attn'),
    });
    t.match(await model(path('long.json', long)), { status: 0 });
    const huge = JSON.stringify({ ...config, ignored: 'x'.repeat(17 * 1024 * 1024) });
    t.match(await model(path('huge.json', huge)), { status: 2, stderr: /16777216/ });
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n';
    t.match(await model(path('pointer.json', pointer)), {
      status: 2,
      stderr: /Git LFS pointer.*git lfs pull/s,
    });
    t.match(await model(path('adapter_config.json', '{"peft_type": "LORA"}')), {
      status: 2,
      stderr: /adapter/,
    });
    t.match(await model(join(folder, 'none.json')), { status: 2, stderr: /not found/ });
    mkdirSync(join(folder, 'odd', 'hf_quant_config.json'), { recursive: true });
    path('odd/config.json', JSON.stringify(config));
    t.match(await model(join(folder, 'odd')), {
      status: 2,
      stderr: /odd\/hf_quant_config\.json: a\s+directory/,
    });
    mkdirSync(join(folder, 'empty'));
    t.match(await model(join(folder, 'empty')), { status: 2, stderr: /config\.json/ });
  });
  t.match(await runCli(['model', 'gpt-oss-12b']), { status: 2, stderr: /gpt-oss-120b/ });
});
