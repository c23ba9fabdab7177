/** `stopping` in a spec: its defaults, where it may stand, and what is refused. */
import t from 'tap';
import { brief, issuesOf, jobIssues, load, loadJob, offloadJob } from './spec-fixture.js';
import { firstOf } from '../../../runner/values/items.js';
import { seriesDigest } from '../../../runner/run-folder/point-identity.js';

const ruleOf = (document: unknown): unknown => firstOf(load(document).points).job.stopping;

t.test('what is left open follows from the rest', async (t) => {
  t.same(ruleOf({ jobs: [offloadJob({ stopping: {} })] }), {
    maxNoisePct: 0.5,
    minIterations: 50,
    maxIterations: 10_000,
    maxSeconds: 15,
  });
  t.match(ruleOf({ jobs: [offloadJob({ stopping: { maxIterations: 20 } })] }), { minIterations: 20 });
  t.match(ruleOf({ jobs: [offloadJob({ timeoutSeconds: 8, stopping: {} })] }), { maxSeconds: 4 });
  const { points, assumed } = loadJob(offloadJob({ stopping: { maxNoisePct: 2 } }), { timeoutSeconds: 10 });
  t.match(firstOf(points), {
    job: { iterations: 50, stopping: { maxSeconds: 5 } },
    spec: { iterations: 50, stopping: { maxNoisePct: 2, maxSeconds: 5 } },
  });
  t.match(firstOf(assumed).values, {
    'stopping.minIterations': [50],
    'stopping.maxIterations': [10_000],
    'stopping.maxSeconds': [5],
  });
  t.notOk('stopping.maxNoisePct' in firstOf(assumed).values, 'that was written');
  t.equal(ruleOf({ jobs: [offloadJob()] }), undefined, 'no rule where none is asked for');
});

t.test("a job's own word stands against the run's", async (t) => {
  const defaults = { stopping: { maxNoisePct: 2 } };
  t.match(ruleOf({ defaults, jobs: [offloadJob()] }), { maxNoisePct: 2 });
  const fixed = firstOf(load({ defaults, jobs: [offloadJob({ iterations: 7 })] }).points).job;
  t.match(fixed, { iterations: 7 });
  t.notOk('stopping' in fixed);
  t.match(ruleOf({ defaults: { iterations: 7 }, jobs: [offloadJob({ stopping: {} })] }), {
    maxNoisePct: 0.5,
  });
  const swept = load({ jobs: [offloadJob({ sweep: { 'stopping.maxNoisePct': [1, 2] } })] }).points;
  t.match(
    swept.map(({ job }) => job.stopping),
    [{ maxNoisePct: 1 }, { maxNoisePct: 2 }],
  );
  const [one, two] = swept.map(({ spec }) =>
    seriesDigest({ kind: 'offload', job: spec, device: 'host', deviceName: 'x', layout: 'y' }),
  );
  t.equal(one, two, 'how long it goes on is no part of what is measured');
});

t.test('a fixed number and a rule at one place', async (t) => {
  const both = { iterations: 5, stopping: {} };
  t.same(brief(jobIssues(offloadJob(both))), ['/jobs/0/iterations: 5']);
  t.same(brief(issuesOf({ defaults: both, jobs: [offloadJob()] })), ['/defaults/iterations: 5']);
  t.same(brief(jobIssues(offloadJob({ stopping: {}, sweep: { iterations: [5, 6] } }))), [
    '/jobs/0/sweep/iterations/0: 5',
    '/jobs/0/sweep/iterations/1: 6',
  ]);
  const set = { set: ['jobs.0.iterations=5'] };
  t.same(brief(jobIssues(offloadJob({ stopping: {} }), set)), ['/jobs/0/iterations: 5']);
});

t.test('values that mean nothing', async (t) => {
  const refused: readonly [key: string, values: readonly unknown[]][] = [
    ['maxNoisePct', [0, -1, 101, null, '1', [1], true, 'NaN']],
    ['minIterations', [0, -1, 15, 16.5, 1_000_001, '20', null]],
    ['maxIterations', [0, -1, 15, 16.5, 1_000_001, '20', null]],
    ['maxSeconds', [0, -1, 43_201, '5', null]],
  ];
  for (const [key, values] of refused) {
    for (const value of values) {
      const pointers = jobIssues(offloadJob({ stopping: { [key]: value } })).map(({ pointer }) => pointer);
      t.same(pointers, [`/jobs/0/stopping/${key}`], `${key} ${JSON.stringify(value)}`);
    }
  }
  for (const text of ['1e999', '-1e999', 'NaN']) {
    const document = JSON.stringify({ jobs: [offloadJob({ stopping: { maxNoisePct: 9 } })] });
    const issues = issuesOf(document.replace('"maxNoisePct":9', `"maxNoisePct":${text}`));
    t.ok(issues.length > 0, text);
  }
  t.same(brief(jobIssues(offloadJob({ stopping: { maxNoise: 1 } }))), [
    '/jobs/0/stopping/maxNoise: "maxNoise"',
  ]);
  t.same(brief(jobIssues(offloadJob({ stopping: 1 }))), ['/jobs/0/stopping: number 1']);
});

t.test('rules across keys', async (t) => {
  t.same(brief(jobIssues(offloadJob({ stopping: { minIterations: 100, maxIterations: 99 } }))), [
    '/jobs/0/stopping/minIterations: 100',
  ]);
  const late = jobIssues(offloadJob({ timeoutSeconds: 10, stopping: { maxSeconds: 6 } }));
  t.match(late, [{ pointer: '/jobs/0/stopping/maxSeconds', expected: /at most 5, half of timeoutSeconds/ }]);
  const swept = offloadJob({
    stopping: { maxIterations: 100 },
    sweep: { 'stopping.minIterations': [50, 200] },
  });
  t.same(brief(jobIssues(swept)), ['/jobs/0/sweep/stopping.minIterations/1: 200']);
});

t.test('a replay has no samples to repeat', async (t) => {
  const replay = {
    id: 'r',
    kind: 'replay',
    trace: { path: 'configs/traces/conversation-small.jsonl', requests: 10 },
    layout: { kind: 'fullyContiguous', numLayers: 2, outerDim: 2, innerDim: 16 },
    pools: { deviceBlocks: 100, hostBlocks: 300 },
  };
  t.match(jobIssues({ ...replay, stopping: {} }), [
    { pointer: '/jobs/0/stopping', expected: /nothing: a trace is replayed once/ },
  ]);
  const listed = load({ defaults: { stopping: {} }, jobs: [replay, offloadJob()] }).points;
  t.same(
    listed.map(({ job }) => job.stopping !== undefined),
    [false, true],
    'a rule of the run is for the jobs that can have it',
  );
});
