import t from 'tap';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../runner/project.js';
import { railrunner, run } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { offloadJob } from '../job-spec/spec-fixture.js';

const cli = (args: readonly string[], cwd = projectRoot) =>
  run(process.execPath, [railrunner, ...args], { cwd });

t.test('validate, plan and schema as a user starts them', async (t) => {
  const good = await cli(['validate', 'configs/quickstart.json']);
  t.match(good, { status: 0, stderr: '', stdout: /quickstart\.json: ok/ });
  const plan = await cli(['plan', 'configs/quickstart.json', '--world-size', '4', '--only', 'llama-offload']);
  t.match(plan, { status: 0, stderr: '', stdout: /llama-offload.*strategy="kernel"/s });
  t.notMatch(plan.stdout, /qwen/);
  const schema = await cli(['schema']);
  t.equal(schema.status, 0);
  t.match(JSON.parse(schema.stdout), { title: 'railrunner spec' });
});

t.test('a bad spec: exit 2, faults on stderr alone, no stack trace', async (t) => {
  await withTempDir(async (folder) => {
    writeFileSync(
      join(folder, 'bad.json'),
      JSON.stringify({ jobs: [offloadJob({ bolcks: 1, to: 'device' })] }),
    );
    const bad = await cli(['validate', 'bad.json'], folder);
    t.match(bad, { status: 2, stdout: '' });
    t.match(
      bad.stderr,
      /^E_SPEC_INVALID bad\.json: 2 faults\n {2}at \/jobs\/0\/bolcks\n.*at \/jobs\/0\/from\n/s,
    );
    t.notMatch(bad.stderr, /\n {4}at |node:internal/);
    t.match(await cli(['plan', 'none.json'], folder), {
      status: 2,
      stdout: '',
      stderr: /^E_SPEC_READ none\.json/,
    });
    t.match(await cli(['plan', 'bad.json', '--world-size', '0'], folder), {
      status: 2,
      stderr: /--world-size/,
    });
  });
});
