import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes } from '../../../runner/text/bytes.js';
import { planSpec } from '../../../runner/cli/plan-spec.js';
import { printSchema } from '../../../runner/cli/print-schema.js';
import { validateSpecs } from '../../../runner/cli/validate-specs.js';
import { projectRoot } from '../../../runner/project.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { offloadJob, onboardJob } from '../job-spec/spec-fixture.js';

const quickstart = join(projectRoot, 'configs', 'quickstart.json');
const none = { kinds: JOB_KINDS };

t.test('validate: good and bad specs in one call', async (t) => {
  await withTempDir((folder) => {
    const bad = join(folder, 'bad.json');
    writeFileSync(bad, JSON.stringify({ jobs: [offloadJob({ blocks: 0 }), offloadJob()] }));
    const { stdout, stderr, exitStatus } = validateSpecs([quickstart, bad, folder], none);
    t.equal(exitStatus, 2);
    t.match(stdout, /quickstart\.json: ok \(9 jobs, 15 points, digest [0-9a-f]{12}\)/);
    t.match(stderr, /^railrunner: E_SPEC_INVALID: .*bad\.json: 2 issues\n {2}at \/jobs\/1\/id\n/);
    t.match(stderr, /at \/jobs\/0\/blocks\n {4}expected: integer from 1 to \d+\n {4}received: 0\n/);
    t.match(stderr, /^railrunner: E_SPEC_READ: .*a directory/ms);
    t.notMatch(stderr, /node:|\.js:\d+/);
  });
  t.match(validateSpecs([quickstart], none), { exitStatus: 0, stderr: '' });
});

t.test('plan: points, ranks that differ, the largest host', async (t) => {
  await withTempDir((folder) => {
    const path = join(folder, 'spec.json');
    writeFileSync(
      path,
      JSON.stringify({ jobs: [onboardJob({ mode: 'replicated', sweep: { blocks: [1, 2] } })] }),
    );
    const { stdout, exitStatus } = planSpec(path, 4, none);
    t.equal(exitStatus, 0);
    t.match(stdout, /^0 +up +onboard +blocks=1 +0 +256 B +4 KiB +8 KiB/m);
    t.match(stdout, /^ +1-3 +256 B +4 KiB +0 B/m);
    t.match(
      stdout,
      /all 4 ranks on one host.*device: 16 KiB \(point 0\).*host: 8 KiB \(point 0\).*disk: none/s,
    );
    t.match(planSpec(path, 4, { ...none, ranksPerNode: 2 }).stdout, /nodes of 2 ranks.*device: 8 KiB/s);
    t.throws(() => planSpec(path, 2, { ...none, set: ['jobs.up.root=2'] }), {
      exitStatus: 2,
      message: /\/jobs\/0\/root\n {4}expected: a rank of this world, 0 to 1/,
    });
    t.throws(() => planSpec(join(folder, 'none.json'), 1, none), { exitStatus: 2, code: 'E_SPEC_READ' });
  });
});

t.test(
  'plan: the table fits a terminal, and what kinds add is told once for all points with the same',
  (t) => {
    const { stdout } = planSpec(quickstart, 4, none);
    const end = stdout.indexOf('\npoints ');
    t.ok(end > 0);
    const table = stdout.slice(0, end).split('\n');
    t.ok(table.length > 15);
    t.ok(Math.max(...table.map((line) => line.length)) <= 120, 'no line of the table wraps');
    t.match(stdout, /^points 0-3: region_bytes=16384 block_bytes=2621440 /m);
    t.equal(stdout.match(/block_bytes=2621440/g)?.length, 1);
    t.end();
  },
);

t.test('plan: a large world whose ranks all differ is one row of ranges', async (t) => {
  await withTempDir((folder) => {
    const path = join(folder, 'spec.json');
    const job = {
      id: 'moe',
      kind: 'dispatchCombine',
      hidden: 256,
      numTopk: 2,
      numExperts: 512,
      numTokens: 16,
    };
    writeFileSync(path, JSON.stringify({ jobs: [job] }));
    const rows = (worldSize: number): string[] =>
      planSpec(path, worldSize, none)
        .stdout.split('\n')
        .filter((line) => line.includes(' KiB to ') || /^ +\d/.test(line));
    t.ok(rows(8).length > 1, 'few ranks have a row each');
    t.equal(rows(512).length, 1);
    t.match(rows(512)[0], / 0-511 +[\d.]+ KiB to [\d.]+ KiB +[\d.]+ MiB /);
  });
});

t.test('schema: all, one, none of that name', async (t) => {
  const one = JSON.parse(printSchema('offload', JOB_KINDS).stdout) as object;
  t.same(one, JSON.parse(readFileSync(join(projectRoot, 'configs/schema/offload.schema.json'), 'utf8')));
  t.match(JSON.parse(printSchema(undefined, JOB_KINDS).stdout), {
    $defs: { onboard: { $id: 'onboard.schema.json' } },
  });
  t.throws(() => printSchema('onbord', JOB_KINDS), { exitStatus: 2, message: /did you mean "onboard"/ });
});

t.test('sizes for people', async (t) => {
  t.same([0, 1023, 1024, 1536, 10_485_760, 2.5 * 2 ** 40].map(formatBytes), [
    '0 B',
    '1023 B',
    '1 KiB',
    '1.50 KiB',
    '10 MiB',
    '2.50 TiB',
  ]);
});
