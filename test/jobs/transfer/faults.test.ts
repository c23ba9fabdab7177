/** Faults of transfers on real ranks: planted ones are found by name, dead peers end the others in bounded time. */
import t from 'tap';
import { MPIS } from '../../helpers/mpirun.js';
import { needsMpi } from '../../helpers/require.js';
import { runTransfer } from '../../helpers/run-transfer.js';

t.setTimeout(600_000);

const MIXED = { sourceTensorParallel: 2, targetTensorParallel: 1, op: 'write' } as const;

const PLANTED = ['wrongSplit', 'lostPiece', 'truncatedPiece', 'earlyNotification'];

t.test('planted faults are found, with block, layer and head', { skip: needsMpi('openmpi') }, async (t) => {
  const strike = (action: string, point: number): string =>
    `rank=0,point=${point},stage=measure,action=${action}`;
  // The last point has none: what was planted before leaves nothing behind.
  const job = { ...MIXED, sweep: { iterations: [2, 3, 4, 5, 6] } };
  const fault = PLANTED.map(strike).join(';');
  const { status, rows, said } = await runTransfer(t.testdir(), { ranks: 4, job, fault });
  t.equal(status, 1, said);
  for (const [point, action] of PLANTED.entries()) {
    const wrong = rows.flat().filter((row) => row['point'] === String(point) && Number(row['wrong']) > 0);
    t.ok(wrong.length > 0, action);
    for (const row of wrong) {
      t.match(row, { status: 'wrong', error_code: 'E_WRONG_DATA' });
      t.match(row['first_bad'], /block \d+ .*layer \d+ outer \d head \d+/, action);
    }
  }
  const last = rows.flat().filter((row) => row['point'] === '4' && row['status'] !== 'idle');
  t.ok(last.length > 0);
  for (const row of last) t.match(row, { status: 'ok', wrong: '0' });
});

for (const mpi of MPIS) {
  t.test(
    `a peer that leaves between import and transfer, under ${mpi}`,
    { skip: needsMpi(mpi) },
    async (t) => {
      const fault = 'rank=3,point=0,stage=measure,action=kill';
      const { status, rows, said } = await runTransfer(t.testdir(), { mpi, ranks: 4, job: {}, fault });
      t.not(status, 0);
      t.same(
        rows.flat().filter((row) => row['status'] === 'ok'),
        [],
        'nothing is marked ok',
      );
      // Hydra (MPICH's launcher) kills the others at once, before they can say whom they lost.
      if (mpi === 'openmpi') t.match(said, /rank 3/, 'the peer is named');
    },
  );
}

t.test(
  '2 emulated nodes: hybrid, network, and ipc that is not possible',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const job = { sweep: { transport: ['hybrid', 'network', 'ipc'] }, pattern: 'allToAll' };
    const { status, rows, said } = await runTransfer(t.testdir(), { ranks: 4, ranksPerNode: 2, job });
    t.equal(status, 0, said);
    const totals = (transport: string) =>
      rows.flat().filter((row) => row['transport_requested'] === transport && row['phase'] === 'total');
    for (const row of rows.flat().filter((each) => each['transport_requested'] === 'ipc')) {
      t.match(row, { status: 'skipped', error_code: 'E_UNSUPPORTED_HERE' });
    }
    for (const row of totals('hybrid'))
      t.match(row, { status: 'ok', wrong: '0', transport_used: 'ipc+network' });
    for (const row of totals('network')) {
      t.match(row, { status: 'ok', wrong: '0', transport_used: 'network', network_transport: /tcp/ });
      t.match(row['wire_source'], /^\/proc\/net\/dev, 4 ranks/);
      // Four ranks of this host, and headers on top.
      t.ok(
        Number(row['wire_bytes']) >= 4 * Number(row['bytes_network']),
        'the kernel saw no less than was issued',
      );
    }
    t.equal(totals('network').length, 8);
  },
);

t.test(
  'through bounce buffers, and a transport that is demanded and not there',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const job = {
      sourceTensorParallel: 2,
      networkMemory: 'staged',
      bounceBytes: 2 ** 20,
      sweep: { networkTransport: [['tcp'], ['rc', 'dc']] },
    };
    const fault = 'rank=1,point=0,stage=measure,action=lostPiece';
    const { status, rows, said } = await runTransfer(t.testdir(), { ranks: 4, ranksPerNode: 2, job, fault });
    t.equal(status, 1, said);
    const staged = rows.flat().filter((row) => row['point'] === '0');
    for (const row of staged.filter((each) => each['phase'] === 'total')) {
      t.match(row, {
        network_memory: 'staged',
        transport_used: 'network',
        path: /deviceToHost, pinned, write|pinned/,
      });
    }
    const wrong = staged.filter((row) => Number(row['wrong']) > 0);
    t.ok(wrong.length > 0, 'a piece that is lost on its way into a bounce buffer is missed');
    for (const row of wrong) t.match(row['first_bad'], /block \d+ .*layer \d+ outer \d head \d+/);
    for (const row of rows.flat().filter((each) => each['point'] === '1')) {
      t.match(row, { status: 'failed', error_code: 'E_TRANSPORT' });
    }
    t.match(said, /demanded rc,dc, but UCX uses tcp/);
  },
);
