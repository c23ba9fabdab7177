import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { blockOrder } from '../../../jobs/kv/block-order.js';
import type { KvSpec } from '../../../jobs/kv/spec.generated.js';
import { holdsTier } from '../../../jobs/kv/spec.js';
import { worldIssues } from '../../../runner/job-spec/resolve-job.js';
import {
  brief,
  goldenLayout,
  jobIssues,
  loadJob,
  specOfJob,
  offloadJob,
  onboardJob,
} from '../../runner/job-spec/spec-fixture.js';

const broadcastJob = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: 'share',
  kind: 'broadcast',
  from: 'device',
  layout: { ...goldenLayout },
  pools: { deviceBlocks: 16, hostBlocks: 32, diskBlocks: 64 },
  blocks: 4,
  ...changes,
});

function specOf(job: Record<string, unknown>) {
  return specOfJob<KvSpec>(job);
}

t.test('from the device blocks keep their ids, in any order', async (t) => {
  const { sourceIds, targetIds } = blockOrder(
    specOf(broadcastJob({ order: 'shuffled', blocks: 16 })),
    2,
  ).forward;
  t.same(sourceIds, targetIds);
  t.equal(new Set(sourceIds).size, 16);
  const up = blockOrder(specOf(broadcastJob({ from: 'host', order: 'shuffled', blocks: 16 })), 2).forward;
  t.notSame(up.sourceIds, up.targetIds);
});

t.test('only the root holds the tier that is read, but for independent', async (t) => {
  const spec = specOf(broadcastJob({ from: 'disk', root: 1 }));
  t.same(
    [0, 1, 2].map((rank) => holdsTier(spec, 'disk', rank)),
    [false, true, false],
  );
  t.same(
    [0, 1, 2].map((rank) => holdsTier(spec, 'device', rank)),
    [true, true, true],
  );
  const alone = specOf(broadcastJob({ from: 'disk', strategy: 'independent' }));
  t.same(
    [0, 1, 2].map((rank) => holdsTier(alone, 'disk', rank)),
    [true, true, true],
  );
});

t.test('what cannot be is refused by name', async (t) => {
  t.match(brief(jobIssues(broadcastJob({ strategy: 'independent' }))), ['/jobs/0/strategy: "independent"']);
  t.match(brief(jobIssues(broadcastJob({ strategy: 'kernel' }))), ['/jobs/0/strategy: "kernel"']);
  t.match(brief(jobIssues(broadcastJob({ maxCtas: 0 }))), ['/jobs/0/maxCtas']);
  t.match(brief(jobIssues(broadcastJob({ to: 'host' }))), ['/jobs/0/to']);
  const toDevice = jobIssues(onboardJob({ from: 'device', mode: 'replicated' }));
  t.match(toDevice[0], { pointer: '/jobs/0/from', received: 'device -> device', hint: /kind broadcast/ });
  t.match(brief(jobIssues(offloadJob({ mode: 'replicated', strategy: 'pipelined' }))), [
    '/jobs/0/strategy: "pipelined"',
  ]);
  const issues = worldIssues(loadJob(broadcastJob({ root: 4 })).points, JOB_KINDS, 4);
  t.match(issues[0], { expected: /0 to 3/, received: '4' });
});
