import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { worldIssues } from '../../../runner/job-spec/resolve-job.js';
import { planPoints } from '../../../runner/job-spec/plan.js';
import {
  brief,
  goldenLayout,
  jobIssues,
  loadJob,
  offloadJob,
  onboardJob,
} from '../../runner/job-spec/spec-fixture.js';

t.test('strategies belong to their mode', async (t) => {
  for (const strategy of ['memcpy', 'memcpyBatch', 'kernel', 'staged', 'auto']) {
    t.equal(loadJob(offloadJob({ strategy })).points.length, 1);
    if (strategy === 'auto') continue;
    t.match(brief(jobIssues(onboardJob({ strategy, mode: 'replicated' }))), [
      `/jobs/0/strategy: "${strategy}"`,
    ]);
  }
  for (const strategy of ['rootBroadcast', 'pipelined', 'scatterAllgather', 'independent']) {
    t.equal(loadJob(onboardJob({ strategy, mode: 'replicated' })).points.length, 1);
    t.match(brief(jobIssues(onboardJob({ strategy }))), [`/jobs/0/strategy: "${strategy}"`]);
  }
});

t.test('bidirectional: the way back must be legal, and both need room', async (t) => {
  t.equal(loadJob(offloadJob({ bidirectional: true, blocks: 8 })).points.length, 1);
  t.match(brief(jobIssues(offloadJob({ bidirectional: true, blocks: 9 }))), ['/jobs/0/blocks: 9']);
  t.match(brief(jobIssues(offloadJob({ bidirectional: true, from: 'host', to: 'disk' }))), [
    '/jobs/0/bidirectional: true',
  ]);
  t.match(brief(jobIssues(onboardJob({ bidirectional: true, mode: 'replicated' }))), [
    '/jobs/0/bidirectional: true',
  ]);
});

t.test('layer ranges are [start, end) within the layers', async (t) => {
  for (const layerRange of [
    [0, 2],
    [1, 2],
  ])
    t.equal(loadJob(offloadJob({ layerRange })).points.length, 1);
  for (const layerRange of [
    [0, 0],
    [1, 1],
    [2, 1],
    [0, 3],
    [5, 6],
  ]) {
    t.match(brief(jobIssues(offloadJob({ layerRange }))), [
      `/jobs/0/layerRange: ${JSON.stringify(layerRange)}`,
    ]);
  }
  for (const layerRange of [[0], [0, 1, 2], [-1, 2], '0-2'])
    t.equal(jobIssues(offloadJob({ layerRange })).length, 1);
});

t.test('tiers may differ in kind and padding, not in regions', async (t) => {
  const hostLayout = { kind: 'layerSeparate', blockDim: 'first', alignment: 512 };
  t.equal(loadJob(offloadJob({ hostLayout })).points.length, 1);
  t.equal(
    loadJob(offloadJob({ hostLayout: { pageSize: 2, innerDim: 16 } })).points.length,
    1,
    'equal bytes are enough',
  );
  for (const odd of [{ pageSize: 8 }, { numLayers: 4, pageSize: 2 }, { dtypeWidthBytes: 1 }]) {
    t.match(jobIssues(offloadJob({ hostLayout: odd })), [
      { pointer: '/jobs/0/hostLayout', expected: /2 layers x 2 x 64/ },
    ]);
  }
  t.match(jobIssues(onboardJob({ hostLayout: { pageSize: 8 } })), [
    {
      pointer: '/jobs/0/hostLayout',
      expected: /of device: 2 layers x 2 x 64/,
      received: /2 layers x 2 x 128/,
    },
  ]);
  // A tier that the job does not use may be anything.
  t.equal(loadJob(offloadJob({ diskLayout: { pageSize: 8 } })).points.length, 1);
  t.equal(
    loadJob(offloadJob({ layout: { ...goldenLayout, dtypeWidthBytes: 1 } })).points.length,
    1,
    '1-byte types',
  );
});

t.test('trace: its keys, its file and its order belong together', async (t) => {
  t.match(brief(jobIssues(offloadJob({ order: 'trace' }))), [/^\/jobs\/0\/trace: nothing/]);
  t.match(brief(jobIssues(offloadJob({ trace: { path: 'x' } }))), [/^\/jobs\/0\/trace: /]);
  t.match(brief(jobIssues(offloadJob({ order: 'trace', trace: { path: 'x.jsonl' } }))), [
    /"x.jsonl", not found/,
  ]);
  t.match(brief(jobIssues(offloadJob({ order: 'trace', trace: { path: 'x', request: 1 } }))), [/"request"/]);
});

t.test('the root must be a rank', async (t) => {
  const spec = loadJob(onboardJob({ mode: 'replicated', root: 4 }));
  t.same(worldIssues(spec.points, JOB_KINDS, 5), []);
  t.match(worldIssues(spec.points, JOB_KINDS, 4), [
    { pointer: '/jobs/0/root', expected: /0 to 3/, received: '4' },
  ]);
});

t.test('the plan: memory of each tier and payload of each rank', async (t) => {
  const job = offloadJob({ to: 'disk', layout: { ...goldenLayout, alignment: 512 }, layerRange: [0, 1] });
  const [sharded] = planPoints(loadJob(job), JOB_KINDS, 2);
  const memoryBytes = { device: 16 * 512 + 512, host: 0, disk: 64 * 4096 };
  t.match(sharded?.ranks, [
    { memoryBytes, payloadBytes: 4 * 128, diskPath: '/tmp' },
    { memoryBytes, payloadBytes: 512 },
  ]);
  const [both] = planPoints(loadJob(offloadJob({ bidirectional: true })), JOB_KINDS, 1);
  t.equal(both?.ranks[0]?.payloadBytes, 2 * 4 * 256);
  const replicated = { mode: 'replicated', root: 1 };
  const [up] = planPoints(loadJob(onboardJob(replicated)), JOB_KINDS, 2);
  t.match(up?.ranks, [
    { memoryBytes: { device: 4096, host: 0 }, payloadBytes: 1024 },
    { memoryBytes: { device: 4096, host: 8192 }, payloadBytes: 1024 },
  ]);
  const [down] = planPoints(loadJob(offloadJob(replicated)), JOB_KINDS, 2);
  t.match(down?.ranks, [
    { memoryBytes: { device: 0, host: 0 }, payloadBytes: 0 },
    { memoryBytes: { device: 4096, host: 8192 }, payloadBytes: 1024 },
  ]);
});
