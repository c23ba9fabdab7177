import t from 'tap';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../runner/project.js';
import { needsMpi } from '../../helpers/require.js';
import { readManifest } from '../../helpers/results.js';
import { railrunner, run, runCli, runArgs } from '../../helpers/run-cli.js';
import { writeSmallSpec } from '../../helpers/small-spec.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { offloadJob } from '../job-spec/spec-fixture.js';

const cli = (args: readonly string[], cwd = projectRoot) =>
  run(process.execPath, [railrunner, ...args], { cwd });

t.test('validate, plan and schema as a user starts them', async (t) => {
  const good = await cli(['validate', 'configs/quickstart.json']);
  t.match(good, { status: 0, stderr: '', stdout: /quickstart\.json: ok/ });
  const plan = await cli(['plan', 'configs/quickstart.json', '--world-size', '4', '--only', 'llama-offload']);
  t.match(plan, { status: 0, stderr: '', stdout: /llama-offload.*strategy=kernel/s });
  t.notMatch(plan.stdout, /qwen/);
  const schema = await cli(['schema']);
  t.equal(schema.status, 0);
  t.match(JSON.parse(schema.stdout), { title: 'railrunner spec' });
});

t.test('a bad spec: exit 2, issues only on stderr, no stack trace', async (t) => {
  await withTempDir(async (folder) => {
    writeFileSync(
      join(folder, 'bad.json'),
      JSON.stringify({ jobs: [offloadJob({ bolcks: 1, to: 'device' })] }),
    );
    const bad = await cli(['validate', 'bad.json'], folder);
    t.match(bad, { status: 2, stdout: '' });
    t.match(
      bad.stderr,
      /^railrunner: E_SPEC_INVALID: bad\.json: 2 issues\n {2}at \/jobs\/0\/bolcks\n.*at \/jobs\/0\/from\n/s,
    );
    t.notMatch(bad.stderr, /\n {4}at |node:internal/);
    t.match(await cli(['plan', 'none.json'], folder), {
      status: 2,
      stdout: '',
      stderr: /^railrunner: E_SPEC_READ: none\.json/,
    });
    t.match(await cli(['plan', 'bad.json', '--world-size', '0'], folder), {
      status: 2,
      stderr: /--world-size/,
    });
  });
});

t.test('validate and plan see the environment as a run does', { skip: needsMpi('openmpi') }, async (t) => {
  const env = { DYN_KVBM_MAX_TRANSFER_BATCH_SIZE: '3' };
  await withTempDir(async (folder) => {
    const spec = writeSmallSpec(folder);
    const digestOf = async (environment: Record<string, string>) => {
      const { stdout } = await runCli(['validate', spec], { env: environment });
      return /digest ([0-9a-f]{12})/.exec(stdout)?.[1] ?? '';
    };
    const digest = await digestOf(env);
    t.not(digest, await digestOf({}));
    t.match((await runCli(['plan', spec], { env })).stdout, /SIZE=3 sets maxTransferBatchSize/);
    t.match(await runCli(['plan', spec], { env: { DYN_KVBM_MAX_TRANSFER_BATCH_SIZE: '0' } }), {
      status: 2,
      stderr: /^railrunner: E_USAGE: environment variable DYN_KVBM_MAX_TRANSFER_BATCH_SIZE/,
    });
    t.equal((await runCli(runArgs(spec, folder, 'r'), { env })).status, 0);
    t.ok(readManifest(join(folder, 'r'))?.spec.digest.startsWith(digest));
  });
});
