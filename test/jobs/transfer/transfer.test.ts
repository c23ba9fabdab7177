/** transfer on real ranks: every operation, pattern and tensor-parallel size, verified at the owner. */
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { MPIS } from '../../helpers/mpirun.js';
import { firstMissing, needsMpi } from '../../helpers/require.js';
import { allVerified, runTransfer } from '../../helpers/run-transfer.js';

t.setTimeout(600_000);

for (const mpi of MPIS) {
  t.test(`4 ranks of ${mpi}: sizes and patterns`, { skip: needsMpi(mpi) }, async (t) => {
    const job = {
      sweepTogether: [
        { sourceTensorParallel: 1, targetTensorParallel: 1, pattern: 'pair' },
        { sourceTensorParallel: 2, targetTensorParallel: 1, pattern: 'ring' },
        { sourceTensorParallel: 1, targetTensorParallel: 2, pattern: 'manyToOne' },
        { sourceTensorParallel: 4, targetTensorParallel: 2, pattern: 'ring' },
        { sourceTensorParallel: 2, targetTensorParallel: 4, pattern: 'ring' },
        { sourceTensorParallel: 2, targetTensorParallel: 2, pattern: 'oneToMany' },
        { sourceTensorParallel: 1, targetTensorParallel: 1, pattern: 'allToAll' },
      ],
    };
    const ran = await runTransfer(t.testdir(), { mpi, ranks: 4, job });
    allVerified(t, ran, mpi);
    const rows = ran.rows.flat();
    t.same(
      new Set(rows.map(({ phase }) => phase)),
      new Set(['post', 'wire', 'visible', 'total']),
      'the phases',
    );
    t.same(
      new Set(rows.map(({ direction }) => direction)),
      new Set(['write device->device', 'read device->device']),
      'both operations by default',
    );
    const posted = rows.filter(({ phase, status }) => phase === 'post' && status === 'ok');
    t.ok(posted.length > 0 && posted.every((row) => Number(row['t_p50_us']) > 0), 'posting is timed');
    t.ok(
      posted.every(
        (row) => row['payload_bytes'] === '' && row['algbw_GBps'] === '' && row['wire_bytes'] === '',
      ),
      'no bytes over the time to post',
    );
  });
}

const wide = process.env['RAILRUNNER_TEST_WIDE'] === '1';
const needsCores = wide ? false : 'needs RAILRUNNER_TEST_WIDE=1, for it has 8 ranks';

t.test(
  '8 ranks: tensor parallel 8 to and from each other size, in shared memory and between two nodes',
  { skip: firstMissing(needsMpi('openmpi'), needsCores) },
  async (t) => {
    const pairs = [1, 2, 4, 8].flatMap((size) => [
      { sourceTensorParallel: 8, targetTensorParallel: size },
      { sourceTensorParallel: size, targetTensorParallel: 8 },
    ]);
    const job = { sweepTogether: pairs };
    for (const ranksPerNode of [0, 4])
      allVerified(
        t,
        await runTransfer(t.testdir(), { ranks: 8, ranksPerNode, job }),
        `${ranksPerNode} per node`,
      );
  },
);

t.test('layouts, pages and memory', { skip: needsMpi('openmpi') }, async (t) => {
  const job = {
    sweepTogether: [
      { 'targetLayout.kind': 'fullyContiguous', 'targetLayout.pageSize': 64, to: 'host', from: 'device' },
      { 'targetLayout.kind': 'layerSeparate', 'targetLayout.pageSize': 16, to: 'device', from: 'host' },
    ],
    sweep: {
      'layout.headOrder': ['tokenMajor', 'headMajor'],
      'layout.kind': ['layerSeparate', 'fullyContiguous'],
    },
    targetLayout: { headOrder: 'tokenMajor' },
    targetTensorParallel: 2,
    layerRange: [1, 3],
  };
  allVerified(t, await runTransfer(t.testdir(), { ranks: 2, job }), 'layouts');
});

t.test(
  'a traffic matrix from a file; ranks without traffic are idle',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const block = 16 * (2 * 2 * 8 * 16 * 2 + 256 * 2);
    writeFileSync(join(folder, 'matrix.txt'), `0 ${block} 1 0\n0 0 0 0\n0 0 0 0\n0 0 0 0\n`);
    const ran = await runTransfer(folder, {
      ranks: 4,
      job: { pattern: 'matrix', matrix: 'matrix.txt', op: 'write' },
    });
    allVerified(t, ran, 'matrix');
    const total = ran.rows.map((rows) => rows.find(({ phase }) => phase === 'total'));
    t.match(total[0], {
      payload_bytes: String(2 * block),
      blocks_moved: '2',
      transfer_peers: '2',
      wire_source: 'issued',
    });
    t.match(total[3], { status: 'ok', payload_bytes: '0', checked: '0', transfer_peers: '0' }, 'no pools');
  },
);
