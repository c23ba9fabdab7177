/** Sweeps that cannot be expanded: where, and what was there. */
import t from 'tap';
import { brief, issuesOf, jobIssues, offloadJob } from './spec-fixture.js';

t.test('sweeps: bad paths, lists and values', async (t) => {
  const issues = jobIssues(
    offloadJob({ sweep: { 'layout.pageSise': [4], id: ['a'], 'blocks.x': [1], order: [], seed: 3 } }),
  );
  t.same(brief(issues), [
    '/jobs/0/sweep/layout.pageSise: "layout.pageSise"',
    '/jobs/0/sweep/id: "id"',
    '/jobs/0/sweep/blocks.x: "blocks.x"',
    '/jobs/0/sweep/order: []',
    '/jobs/0/sweep/seed: 3',
  ]);
  t.match(issues[0]?.hint, /"pageSize"/);
  t.same(
    brief(jobIssues(offloadJob({ sweep: { blocks: [4, 0, 17, 'x'], 'layout.kind': ['layerSeparate'] } }))),
    ['/jobs/0/sweep/blocks/1: 0', '/jobs/0/sweep/blocks/2: 17', '/jobs/0/sweep/blocks/3: string "x"'],
  );
  t.match(brief(jobIssues(offloadJob({ sweep: { pools: [{}], 'pools.hostBlocks': [1] } }))), [
    /inside pools/,
  ]);
  const wide = Array.from({ length: 100 }, (_, index) => index);
  t.match(brief(jobIssues(offloadJob({ sweep: { seed: wide, warmup: wide, iterations: wide } }))), [
    /^\/jobs\/0\/sweep: 1000000 points/,
  ]);
  const rows = Array.from({ length: 100_001 }, (_, seed) => ({ seed }));
  t.match(brief(jobIssues(offloadJob({ sweepTogether: rows }))), [
    /^\/jobs\/0\/sweepTogether: 100001 points/,
  ]);
});

t.test('a path of a sweep that leads through a value without keys', async (t) => {
  const broken = { layout: 'flat', sweep: { 'layout.pageSize': [2, 4] } };
  t.same(brief(jobIssues(offloadJob(broken))), [
    '/jobs/0/sweep/layout.pageSize: a value along the path that is not an object: "flat"',
  ]);
  const rows = { layout: 'flat', sweepTogether: [{ 'layout.pageSize': 2 }] };
  t.same(brief(jobIssues(offloadJob(rows))), [
    '/jobs/0/sweepTogether/0/layout.pageSize: a value along the path that is not an object: "flat"',
  ]);
});

t.test('more points in all jobs together than a run may have', async (t) => {
  const half = Array.from({ length: 300 }, (_, index) => index);
  const swept = (id: string): object => offloadJob({ id, sweep: { seed: half, warmup: half } });
  t.match(issuesOf({ jobs: [swept('a'), swept('b')] }), [
    { pointer: '/jobs', expected: 'at most 100000 points in a run', received: '180000 points' },
  ]);
});
