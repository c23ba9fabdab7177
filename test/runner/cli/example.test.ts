/** A first spec is short: what `example` prints runs as it is, and `plan` says what was not written. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { exampleSpec } from '../../../runner/cli/example-spec.js';
import { planSpec } from '../../../runner/cli/plan-spec.js';
import { needsMpi } from '../../helpers/require.js';
import { readCsv } from '../../helpers/results.js';
import { runCli } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { load, loadJob } from '../job-spec/spec-fixture.js';

interface Example {
  readonly $comment: readonly string[];
  readonly jobs: readonly [{ readonly $comment: readonly string[] } & Readonly<Record<string, unknown>>];
}

const example = (kind: string): Example => JSON.parse(exampleSpec(kind, JOB_KINDS).stdout) as Example;

t.test('every kind has an example of a few keys, each with its meaning', async (t) => {
  for (const { kind, summary } of JOB_KINDS) {
    const {
      $comment,
      jobs: [{ $comment: meanings, ...job }],
    } = example(kind);
    t.equal($comment[0], summary);
    const keys = Object.keys(job).filter((key) => key !== 'id' && key !== 'kind');
    for (const key of keys) {
      t.ok(
        meanings.some((line) => line.startsWith(`${key}: `)),
        `${kind}: ${key} is explained`,
      );
    }
    t.ok(JSON.stringify(job).length < 300, `${kind} is short`);
  }
  t.throws(() => exampleSpec('ofload', JOB_KINDS), { code: 'E_USAGE', message: /did you mean "offload"/ });
});

t.test('examples run as they are printed', { skip: needsMpi('openmpi') }, async (t) => {
  await withTempDir(async (folder) => {
    const jobs = JOB_KINDS.flatMap(({ kind }) => example(kind).jobs);
    const spec = join(folder, 'examples.json');
    writeFileSync(spec, JSON.stringify({ jobs, device: 'host' }));
    const set = ['--set', 'jobs.*.iterations=2'];
    const ended = await runCli(['launch', '-n', '2', spec, '--out', folder, '--run-id', 'r', ...set]);
    t.equal(ended.status, 0, ended.stderr);
    const rows = readCsv(join(folder, 'r', 'summary.csv'));
    t.same(new Set(rows.map((row) => row['kind'])), new Set(JOB_KINDS.map(({ kind }) => kind)));
    const wrong = rows.filter((row) => row['status'] === 'ok' && row['wrong'] !== '0');
    t.same(wrong, [], 'every byte is right');
    t.ok(readFileSync(join(folder, 'r', 'manifest.json'), 'utf8').includes('"ok"'));
  });
});

t.test('what a job leaves open follows from the rest, and plan says it', async (t) => {
  const layout = { numLayers: 2, outerDim: 2, innerDim: 8 };
  const resolved = (job: object) => loadJob({ id: 'j', layout, ...job }).points[0]?.spec;
  t.match(resolved({ kind: 'offload', blocks: 4 }), {
    from: 'device',
    to: 'host',
    layout: { kind: 'layerSeparate', pageSize: 32 },
    pools: { deviceBlocks: 4, hostBlocks: 4 },
  });
  t.match(resolved({ kind: 'offload', from: 'host', blocks: 4 }), { to: 'disk', pools: { diskBlocks: 4 } });
  t.match(resolved({ kind: 'onboard', blocks: 4 }), { from: 'host', to: 'device' });
  t.match(resolved({ kind: 'broadcast', blocks: 4 }), { from: 'host', to: 'device', mode: 'replicated' });
  t.match(resolved({ kind: 'offload', blocks: 4, bidirectional: true }), { pools: { hostBlocks: 8 } });
  t.match(resolved({ kind: 'offload', pools: { hostBlocks: 9 }, bidirectional: true }), {
    blocks: 4,
    pools: { deviceBlocks: 8, hostBlocks: 9 },
  });
  const tokens = { id: 'x', kind: 'dispatchCombine', model: 'deepseek-v3', numTokens: [3, 8] };
  t.match(loadJob(tokens).points[0]?.spec, { maxDispatchTokensPerRank: 8 });
  const swept = load({ jobs: [{ id: 'j', kind: 'offload', layout, sweep: { blocks: [1, 2] } }] });
  t.match(swept.assumed, [{ jobId: 'j', values: { from: ['device'], 'pools.hostBlocks': [1, 2] } }]);
  await withTempDir(async (folder) => {
    const path = join(folder, 'spec.json');
    writeFileSync(
      path,
      JSON.stringify({ jobs: [{ id: 'j', kind: 'offload', to: 'disk', layout, blocks: 4 }] }),
    );
    const { stdout } = planSpec(path, 1, { kinds: JOB_KINDS });
    t.match(
      stdout,
      /Defaults of j: from=device layout\.kind=layerSeparate layout\.pageSize=32 pools\.deviceBlocks=4 pools\.diskBlocks=4 strategy=auto\n?/,
    );
    t.notMatch(stdout, /so:.* to=/);
  });
});

t.test('launch names what is wrong with a spec before it starts anything', async (t) => {
  await withTempDir(async (folder) => {
    const path = join(folder, 'spec.json');
    const job = { id: 'x', kind: 'dispatchCombine', hidden: 128, numTopk: 1, numExperts: 3, numTokens: 1 };
    writeFileSync(path, JSON.stringify({ jobs: [job] }));
    const ended = await runCli(['launch', '-n', '2', path, '--out', folder]);
    t.match(ended, {
      status: 2,
      stdout: '',
      stderr: /^railrunner: E_SPEC_INVALID: .*\/jobs\/0\/numExperts/s,
    });
    t.notMatch(ended.stderr, /mpirun/);
  });
});
