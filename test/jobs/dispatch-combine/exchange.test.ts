/** dispatchCombine on real ranks: shared memory and network, every layout, faults that must be heard. */
import t from 'tap';
import { needsMpi } from '../../helpers/require.js';
import { readManifest, type CsvRow } from '../../helpers/results.js';
import { exchange, namesSilent, sum } from '../../helpers/run-exchange.js';

t.test(
  '4 ranks on one node: every format, layout and phase is right',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const sweeps = [
      { dedup: ['on', 'off'], dispatchDtype: ['bf16', 'fp8_e4m3'], phases: ['fused', 'split'] },
      { outputLayout: ['rankMajor'], zeroCopy: [false, true], dispatchDtype: ['bf16', 'fp8_e4m3'] },
      { dedup: ['on', 'off'], zeroCopy: [true], transport: ['ipc'], dispatchDtype: ['bf16', 'fp8_e4m3'] },
      { dispatchDtype: ['fp8_e4m3'], roundScale: [true], hidden: [300, 301] },
      { numTokens: [[0, 16, 3, 7], 0, 1], routing: [{ kind: 'zipf', exponent: 2 }, { kind: 'powerLaw' }] },
    ];
    for (const [index, sweep] of sweeps.entries()) {
      const folder = t.testdir();
      const { status, rows, said } = await exchange(folder, { ranks: 4, job: { sweep } });
      t.equal(status, 0, said);
      t.equal(rows.length, 4);
      for (const row of rows.flat()) {
        if (row['status'] === 'ok' && row['wrong'] === '0' && Number(row['checked']) > 0) continue;
        t.fail(`sweep ${index}: ${JSON.stringify(row)}`);
      }
      t.equal(
        new Set(rows.flat().map((row) => `${row['point']} ${row['routing_digest']}`)).size,
        new Set(rows.flat().map((row) => row['point'])).size,
        'one routing a point, the same on all ranks',
      );
    }
  },
);

t.test(
  '2 emulated nodes: hybrid uses the network only between them',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const sweep = { transport: ['hybrid', 'network', 'ipc'], dedup: ['on', 'off'] };
    const folder = t.testdir();
    const { status, rows, said } = await exchange(folder, { ranks: 4, ranksPerNode: 2, job: { sweep } });
    t.equal(status, 0, said);
    const of = (transport: string): CsvRow[] =>
      rows.flat().filter((row) => row['transport_requested'] === transport);
    for (const row of of('ipc')) t.match(row, { status: 'skipped', error_code: 'E_UNSUPPORTED_HERE' });
    for (const transport of ['hybrid', 'network']) {
      for (const row of of(transport)) {
        t.match(row, { status: 'ok', wrong: '0', network_memory: 'host', network_transport: /tcp/ });
      }
      t.equal(of(transport).length, 4 * 2 * 2, 'dispatch and combine, dedup on and off');
    }
    t.ok(of('hybrid').every((row) => row['transport_used'] === 'ipc+network'));
    t.ok(of('network').every((row) => row['transport_used'] === 'network' && row['bytes_ipc'] === '0'));
    t.equal(
      sum(of('hybrid'), 'bytes_network') + sum(of('hybrid'), 'bytes_ipc'),
      sum(of('network'), 'bytes_network'),
      'what hybrid keeps inside nodes is what the network is spared',
    );
    t.ok(sum(of('hybrid'), 'bytes_ipc') > 0);
  },
);

t.test('8 ranks on 4 emulated nodes, under MPICH', { skip: needsMpi('mpich') }, async (t) => {
  const job = { sweep: { dedup: ['on', 'off'] } };
  const { status, rows, said } = await exchange(t.testdir(), {
    ranks: 8,
    mpi: 'mpich',
    ranksPerNode: 2,
    job,
  });
  t.equal(status, 0, said);
  t.equal(rows.length, 8);
  for (const row of rows.flat()) t.match(row, { status: 'ok', wrong: '0', transport_used: 'ipc+network' });
});

t.test('a token crosses once per rank with dedup', { skip: needsMpi('openmpi') }, async (t) => {
  const job = { numTopk: 16, routing: { kind: 'uniform' }, sweep: { dedup: ['on', 'off'] } };
  const { rows } = await exchange(t.testdir(), { ranks: 4, job });
  const of = (dedup: string): (CsvRow | undefined)[] =>
    rows.map((own) =>
      own.find((row) => row['phase'] === 'dispatch' && row['strategy_used'] === `dedup ${dedup}`),
    );
  t.equal(sum(of('on'), 'messages_sent'), 4 * 12 * 4, 'every token chooses every expert: one message a rank');
  t.equal(sum(of('off'), 'messages_sent'), 4 * 12 * 16, 'else one per expert');
  t.equal(sum(of('on'), 'logical_bytes'), sum(of('off'), 'logical_bytes'), 'the logical bytes are the same');
});

t.test(
  'a rank that never sends is named, and the next point runs',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const fault = 'rank=1,point=0,stage=measure,action=silence';
    const job = { sweep: { dedup: ['off', 'on'] } };
    const { status, rows, said, folder } = await exchange(t.testdir(), {
      ranks: 4,
      job,
      fault,
      timeoutSeconds: 8, // the next point has them too, however loaded the machine is
    });
    t.equal(status, 124, said);
    namesSilent(t, rows, 1);
    t.match(readManifest(folder), { outcome: 'timeout' });
  },
);

t.test('a bit that flips on the way is found, with its place', { skip: needsMpi('openmpi') }, async (t) => {
  for (const dedup of ['on', 'off']) {
    const fault = 'rank=2,point=0,stage=measure,action=corrupt';
    const { status, rows, said } = await exchange(t.testdir(), { ranks: 4, job: { dedup }, fault });
    t.equal(status, 1, said);
    const wrong = rows.flat().filter((row) => row['status'] === 'wrong' && row['phase'] === 'dispatch');
    t.ok(wrong.length > 0, 'some rank saw it');
    for (const row of wrong) {
      t.match(row, { error_code: 'E_WRONG_DATA', first_bad: /source rank 2, token \d+, column 0: expected/ });
    }
  }
});
