import t from 'tap';
import { canonicalJson, sha256Hex } from '../../../runner/job-spec/canonical.js';
import { parseResolvedSpec } from '../../../runner/job-spec/resolved-text.js';
import type { JsonObject } from '../../../runner/job-spec/types.js';
import {
  brief,
  issuesOf,
  goldenLayout,
  jobIssues,
  load,
  loadJob,
  offloadJob,
  onboardJob,
} from './spec-fixture.js';

t.test("run defaults are weaker than a job's keys and stronger than the schema's", async (t) => {
  const spec = load({
    seed: 7,
    defaults: { warmup: 2, iterations: 3 },
    jobs: [offloadJob({ iterations: 9 }), onboardJob({ seed: 8 })],
  });
  const [down, up] = spec.points.map(({ job }) => job);
  t.match(down, { seed: 7, warmup: 2, iterations: 9, timeoutSeconds: 120, verify: 'full', probe: true });
  t.match(up, { seed: 8, warmup: 2, iterations: 3 });
  t.match(brief(issuesOf({ defaults: { warmup: -1, blocks: 3 }, jobs: [offloadJob()] })).sort(), [
    '/defaults/blocks: "blocks"',
    '/defaults/warmup: -1',
  ]);
});

t.test('the command line is stronger than --set, the environment weaker', async (t) => {
  const options = {
    set: ['jobs.0.maxTransferBatchSize=5'],
    variables: {
      DYN_KVBM_MAX_TRANSFER_BATCH_SIZE: '7',
      MSCCLPP_EP_NUM_PROXIES: '2',
      DYN_KVBM_NCCL_MAX_CTAS: '',
    },
  };
  const spec = load({ jobs: [offloadJob(), onboardJob({ maxTransferBatchSize: 9 })] }, options);
  t.same(
    spec.points.map((point) => point.spec['maxTransferBatchSize']),
    [5, 7],
  );
  const fixed = load(
    { device: 'cuda', ranksPerNode: 4, jobs: [offloadJob({ timeoutSeconds: 5 })] },
    { device: 'host', ranksPerNode: 2, timeoutSeconds: 1.5, set: ['device=auto'] },
  );
  t.match(fixed, { device: 'host', ranksPerNode: 2 });
  t.equal(fixed.points[0]?.job.timeoutSeconds, 1.5);
});

t.test('sweeps expand in key order, the first key slowest', async (t) => {
  const spec = load({
    jobs: [
      offloadJob({ sweep: { blocks: [1, 2], 'layout.pageSize': [4, 8], strategy: ['memcpy', 'kernel'] } }),
      onboardJob(),
    ],
  });
  t.same(
    spec.points.slice(0, 8).map(({ spec: { blocks, layout, strategy } }) => {
      return [blocks, (layout as JsonObject)['pageSize'], strategy];
    }),
    [
      [1, 4, 'memcpy'],
      [1, 4, 'kernel'],
      [1, 8, 'memcpy'],
      [1, 8, 'kernel'],
      [2, 4, 'memcpy'],
      [2, 4, 'kernel'],
      [2, 8, 'memcpy'],
      [2, 8, 'kernel'],
    ],
  );
  t.same(
    spec.points.map(({ index, jobIndex }) => [index, jobIndex]),
    [...Array.from({ length: 8 }, (_, index) => [index, 0]), [8, 1]],
  );
  t.same(spec.points[3]?.swept, { blocks: 1, 'layout.pageSize': 8, strategy: 'kernel' });
  // The other tiers follow the swept layout.
  t.match(spec.points[2]?.spec, { hostLayout: { pageSize: 8 } });
  const { layout, blocks, ...rest } = offloadJob();
  t.equal(
    loadJob({ ...rest, sweep: { layout: [layout], blocks: [blocks] } }).points.length,
    1,
    'required keys may be swept',
  );
});

t.test('--set: a key that the job sweeps is refused, by job', async (t) => {
  const swept = offloadJob({ sweep: { blocks: [1, 2], 'layout.pageSize': [2, 4] } });
  const together = onboardJob({ sweepTogether: [{ order: 'shuffled' }, { order: 'strided' }] });
  const issues = issuesOf(
    { jobs: [swept, together] },
    { set: ['jobs.*.blocks=2', 'jobs.0.layout.pageSize=2', 'jobs.*.order=shuffled'] },
  );
  t.same(brief(issues), [
    '/jobs/0/sweep/blocks: --set jobs.*.blocks=2',
    '/jobs/0/sweep/layout.pageSize: --set jobs.0.layout.pageSize=2',
    '/jobs/1/sweepTogether: --set jobs.*.order=shuffled',
  ]);
  t.match(issues[0]?.hint, /--set jobs\.down\.sweep\.blocks=\[\.\.\.\]/);
  t.equal(load({ jobs: [swept] }, { set: ['jobs.0.sweep.blocks=[2]'] }).points.length, 2, 'the sweep is set');
  const { id: _, ...nameless } = swept;
  const [first] = issuesOf({ jobs: [nameless] }, { set: ['jobs.0.blocks=2'] });
  t.match(first?.hint, /--set jobs\.0\.sweep\.blocks=\[\.\.\.\]/, 'the index of a job without an id');
});

t.test('--set: indices, ids, all jobs, nested keys, sweeps, values', async (t) => {
  const set = [
    'name=8 ranks',
    'jobs.0.blocks=2',
    'jobs.up.pools.hostBlocks=9',
    'jobs.*.iterations=4',
    'jobs.down.sweep.layout.pageSize=[2,4]',
    'jobs.1.order=shuffled',
    'defaults.warmup=1',
  ];
  const spec = load({ jobs: [offloadJob(), onboardJob()] }, { set });
  t.equal(spec.name, '8 ranks');
  t.equal(spec.points.length, 3);
  t.match(spec.points[0]?.spec, { blocks: 2, iterations: 4, warmup: 1, layout: { pageSize: 2 } });
  t.match(spec.points[2]?.spec, { order: 'shuffled', iterations: 4, pools: { hostBlocks: 9 } });
  const bad = [
    'jobs.2.blocks=1',
    'jobs.nobody.blocks=1',
    'jobs.0.blocks.x=1',
    'jobs.0.blokcs=1',
    'blocks',
    '=3',
    '__proto__.x=1',
  ];
  const issues = issuesOf({ jobs: [offloadJob(), onboardJob()] }, { set: bad });
  t.same(brief(issues), [
    '/jobs/2/blocks: --set jobs.2.blocks=1',
    '/jobs/nobody/blocks: --set jobs.nobody.blocks=1',
    '/jobs/0/blocks/x: --set jobs.0.blocks.x=1',
    ': --set blocks',
    ': --set =3',
    ': --set __proto__.x=1',
    '/jobs/0/blokcs: "blokcs"',
  ]);
  t.match(issues[1]?.hint, /down, up/);
  t.same(brief(issuesOf({ jobs: [offloadJob()] }, { set: ['jobs.0.blocks="2"'] })), [
    '/jobs/0/blocks: string "2"',
  ]);
});

t.test('--only keeps jobs, and knows its ids', async (t) => {
  const jobs = [offloadJob(), onboardJob({ sweep: { blocks: [1, 2] } })];
  const spec = load({ jobs }, { only: ['up'] });
  t.same(
    spec.points.map(({ index, jobIndex }) => [index, jobIndex]),
    [
      [0, 1],
      [1, 1],
    ],
  );
  t.match(issuesOf({ jobs }, { only: ['upp'] }), [{ received: '--only upp', hint: /"up"/ }]);
  t.same(brief(issuesOf({ jobs: [...jobs, offloadJob({ id: 'x', blocks: 0 })] }, { only: ['up'] })), [
    '/jobs/2/blocks: 0',
  ]);
});

t.test('the resolved spec is frozen, and its text stands for it', async (t) => {
  const document = {
    jobs: [offloadJob({ sweep: { blocks: [1, 2], strategy: ['memcpy', 'kernel'] } }), onboardJob()],
  };
  const spec = load(document);
  t.throws(() => Object.assign(spec.points[0]?.spec['layout'] as object, { pageSize: 1 }), TypeError);
  t.throws(() => (spec.points as unknown[]).push(1), TypeError);
  t.equal(spec.digest, sha256Hex(spec.canonicalText));
  t.strictSame(parseResolvedSpec(spec.canonicalText, spec.files), { ...spec, assumed: [] });
  t.equal(load(document).digest, spec.digest, 'the same from another folder');
  t.not(load({ ...document, seed: 2 }).digest, spec.digest);
  const reordered = { jobs: document.jobs.map((job) => Object.fromEntries(Object.entries(job).reverse())) };
  t.equal(load(reordered).digest, spec.digest, 'the order of keys means nothing');
  t.throws(() => parseResolvedSpec('{', {}), { code: 'E_WORLD_LOST' });
  for (const [right, wrong] of [
    ['"format":1', '"format":2'],
    ['"base"', '"bose"'],
    ['"points":[', '"points":1,"x":['],
    ['"kind":"offload"', '"kind":1'],
    ['"absent"', '"absend"'],
  ] as const) {
    const text = spec.canonicalText.replace(right, wrong);
    t.not(text, spec.canonicalText);
    t.throws(() => parseResolvedSpec(text, {}), { code: 'E_WORLD_LOST' }, wrong);
  }
});

t.test('canonical JSON sorts keys and keeps lists', async (t) => {
  t.equal(canonicalJson({ b: [{ z: 1, a: 2 }], a: 'é' }), '{"a":"é","b":[{"a":2,"z":1}]}');
});

t.test('ten thousand points stay small', async (t) => {
  const seeds = Array.from({ length: 5000 }, (_, seed) => seed);
  const spec = loadJob(offloadJob({ sweep: { seed: seeds, strategy: ['memcpy', 'kernel'] } }));
  t.equal(spec.points.length, 10_000);
  t.ok(spec.canonicalText.length < 2e6, `${spec.canonicalText.length} characters`);
  t.equal(spec.points[9999]?.job.seed, 4999);
});

t.test('keys without meaning are refused unless a sweep switches them on', async (t) => {
  t.match(brief(jobIssues(offloadJob({ root: 1, maxCtas: 4 }))), ['/jobs/0/root: 1', '/jobs/0/maxCtas: 4']);
  const replicated = { mode: 'replicated', strategy: 'pipelined', root: 1, maxCtas: 4 };
  t.equal(loadJob(onboardJob(replicated)).points.length, 1);
  t.equal(loadJob(onboardJob({ root: 1, sweep: { mode: ['sharded', 'replicated'] } })).points.length, 2);
  t.match(brief(jobIssues(offloadJob({ layout: { ...goldenLayout, blockDim: 'first' } }))), [/blockDim/]);
});
