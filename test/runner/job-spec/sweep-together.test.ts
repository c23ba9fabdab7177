import t from 'tap';
import { join } from 'node:path';
import { JOB_KINDS } from '../../../jobs/index.js';
import { loadSpec } from '../../../runner/job-spec/load.js';
import { projectRoot } from '../../../runner/project.js';
import { brief, jobIssues, load, loadJob, offloadJob } from './spec-fixture.js';

const ROWS = [
  { 'layout.innerDim': 8, blocks: 4, 'pools.deviceBlocks': 16 },
  { 'layout.innerDim': 32, blocks: 2, 'pools.deviceBlocks': 8 },
];

t.test('rows vary together, the sweep inside each; equal to one job for each row', async (t) => {
  const swept = loadJob(offloadJob({ sweepTogether: ROWS, sweep: { strategy: ['memcpy', 'auto'] } }));
  const { layout, pools } = offloadJob() as { layout: object; pools: object };
  const byHand = load({
    jobs: ROWS.map((row, index) => ({
      ...offloadJob({ id: `down-${index}`, blocks: row.blocks }),
      layout: { ...layout, innerDim: row['layout.innerDim'] },
      pools: { ...pools, deviceBlocks: row['pools.deviceBlocks'] },
      sweep: { strategy: ['memcpy', 'auto'] },
    })),
  });
  const withoutId = (points: typeof swept.points) => points.map(({ spec }) => ({ ...spec, id: 'down' }));
  t.same(withoutId(swept.points), withoutId(byHand.points));
  t.same(swept.points[3]?.swept, { ...ROWS[1], strategy: 'auto' }, 'rows of the CSV say all that was swept');
});

t.test('what is wrong with rows is said where it stands', async (t) => {
  const issues = (changes: object) => brief(jobIssues(offloadJob({ ...changes })));
  t.same(issues({ sweepTogether: [] }), ['/jobs/0/sweepTogether: []']);
  t.same(issues({ sweepTogether: [3] }), ['/jobs/0/sweepTogether/0: 3']);
  t.same(issues({ sweepTogether: [{}] }), ['/jobs/0/sweepTogether/0: {}']);
  t.same(issues({ sweep: 3 }), ['/jobs/0/sweep: 3']);
  t.same(issues({ sweepTogether: [{ blocks: 1 }, { bloks: 1 }] }), [
    '/jobs/0/sweepTogether/1: nothing for blocks',
    '/jobs/0/sweepTogether/1/bloks: "bloks"',
  ]);
  t.same(issues({ sweepTogether: [{ 'layout.pageSiez': 1 }] }), [
    '/jobs/0/sweepTogether/0/layout.pageSiez: "layout.pageSiez"',
  ]);
  t.same(issues({ sweepTogether: [{ blocks: 1 }, { blocks: 20 }] }), ['/jobs/0/sweepTogether/1/blocks: 20']);
  t.same(issues({ sweepTogether: [{ blocks: 1 }], sweep: { blocks: [1, 2] } }), [
    '/jobs/0/sweep/blocks: blocks in both sweeps',
  ]);
  t.same(issues({ sweepTogether: [{ layout: {} }], sweep: { 'layout.pageSize': [1] } }), [
    '/jobs/0/sweep/layout.pageSize: layout.pageSize inside layout',
  ]);
  const many = Array.from({ length: 400 }, (_, index) => ({ blocks: (index % 4) + 1 }));
  t.match(issues({ sweepTogether: many, sweep: { seed: many.map((_, seed) => seed) } })[0], /160000 points/);
});

t.test('a key that the environment fixes has one value in every point', async (t) => {
  const job = offloadJob({ sweepTogether: [{ maxTransferBatchSize: 1 }, { maxTransferBatchSize: 2 }] });
  const { points } = loadJob(job, { variables: { DYN_KVBM_MAX_TRANSFER_BATCH_SIZE: '7' } });
  t.same(
    points.map(({ swept }) => swept),
    [{ maxTransferBatchSize: 7 }, { maxTransferBatchSize: 7 }],
  );
});

t.test('the copy benchmark keeps its points', async (t) => {
  const { points } = loadSpec(join(projectRoot, 'configs/bench/cuda-kv.json'), { kinds: JOB_KINDS });
  t.equal(points.length, 162);
  const bytes = points.map(({ spec }) => {
    const { numLayers, outerDim, pageSize, innerDim } = spec['layout'] as Record<string, number>;
    return (
      Number(spec['blocks']) *
      [numLayers, outerDim, pageSize, innerDim].reduce<number>((a, b) => a * (b ?? 0), 2)
    );
  });
  t.same([...new Set(bytes)], [256 * 2 ** 20], 'each moves 256 MiB');
});
