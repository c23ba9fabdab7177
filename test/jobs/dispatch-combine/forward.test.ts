/** dedup node on real ranks: a token crosses once per node, is forwarded there by ipc, and comes back as one row. */
import t from 'tap';
import { needsMpi } from '../../helpers/require.js';
import type { CsvRow } from '../../helpers/results.js';
import { exchange, sum } from '../../helpers/run-exchange.js';

const NODE = { dedup: 'node', numTokens: [12, 0, 16, 5] };

t.test(
  '2 emulated nodes: every format, layout and phase is right',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const sweeps = [
      {
        dispatchDtype: ['bf16', 'fp8_e4m3'],
        outputLayout: ['expertMajor', 'rankMajor'],
        phases: ['fused', 'split'],
      },
      { outputLayout: ['rankMajor'], zeroCopy: [true], numProxies: [2], numTokens: [0, 1] },
    ];
    for (const sweep of sweeps) {
      const run = { ranks: 4, ranksPerNode: 2, job: { ...NODE, sweep } };
      const { status, rows, said } = await exchange(t.testdir(), run);
      t.equal(status, 0, said);
      for (const row of rows.flat()) {
        const isRight = row['status'] === 'ok' && row['wrong'] === '0' && Number(row['checked']) > 0;
        if (!isRight) t.fail(JSON.stringify(row));
        t.match(row, {
          strategy_used: 'dedup node',
          transport_used: 'ipc+network',
          network_transport: /tcp/,
        });
      }
    }
  },
);

t.test('2 nodes of 4 ranks under MPICH: the network is spared', { skip: needsMpi('mpich') }, async (t) => {
  // Every token chooses every expert: to 4 ranks of the other node, or once to the node.
  const job = { numTopk: 16, routing: { kind: 'uniform' }, sweep: { dedup: ['on', 'node'] } };
  const run = { ranks: 8, mpi: 'mpich', ranksPerNode: 4, job } as const;
  const { status, rows, said } = await exchange(t.testdir(), run);
  t.equal(status, 0, said);
  const [tokens, message, row, signal] = [12, 144 + 2 * 384, 2 * 384, 8];
  for (const [dedup, crossings] of Object.entries({ on: 4, node: 1 })) {
    const of = rows.flat().filter((each) => each['strategy_used'] === `dedup ${dedup}`);
    t.equal(of.length, 8 * 2);
    for (const each of of) {
      const crossing = tokens * (each['phase'] === 'dispatch' ? message : row) + signal;
      t.match(each, { status: 'ok', wrong: '0', bytes_network: String(crossings * crossing) });
      const forwarded = dedup === 'node' ? tokens * 3 : 0;
      t.equal(each['messages_forwarded'], String(forwarded), 'to the 3 other ranks of the relay');
    }
  }
  const ofPhase = (dedup: string): CsvRow[] =>
    rows.flat().filter((each) => each['phase'] === 'dispatch' && each['strategy_used'] === `dedup ${dedup}`);
  t.equal(sum(ofPhase('on'), 'logical_bytes'), sum(ofPhase('node'), 'logical_bytes'), 'the work is the same');
});

t.test(
  'one node is dedup on; nodes of unequal size are skipped',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const single = await exchange(t.testdir(), { ranks: 2, job: { dedup: 'node' } });
    t.equal(single.status, 0, single.said);
    for (const row of single.rows.flat()) {
      t.match(row, { status: 'ok', strategy_requested: 'dedup node', strategy_used: 'dedup on' });
    }
    const job = { dedup: 'node', numExperts: 12 };
    const unequal = await exchange(t.testdir(), { ranks: 3, ranksPerNode: 2, job });
    t.equal(unequal.status, 0, unequal.said);
    for (const row of unequal.rows.flat()) {
      const error = /as many ranks on each node, received nodes of 2, 1 ranks/;
      t.match(row, { status: 'skipped', error_code: 'E_UNSUPPORTED_HERE', error });
    }
  },
);

t.test(
  'a relay that falls silent ends the others at the deadline, and the next point runs',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const fault = 'rank=1,point=0,stage=measure,action=silence';
    // The deadline that must pass, and one that must not.
    const job = { dedup: 'node', sweep: { timeoutSeconds: [8, 600] } };
    const run = { ranks: 4, ranksPerNode: 2, job, fault };
    const { status, rows, said } = await exchange(t.testdir(), run);
    t.equal(status, 124, said);
    // Rank 2 waits for what rank 3 would forward, could it hear rank 1.
    const awaited = [1, null, 3, 1];
    for (const [rank, own] of rows.entries()) {
      const first = own.filter((row) => row['point'] === '0');
      t.match(first, [{ status: 'timeout', hung_stage: 'measure' }], `rank ${rank}`);
      // One that hears of another's deadline before its own has passed says what that one waited for.
      const saysItself = first[0]?.['error']?.startsWith('measure passed') === true;
      const words = saysItself ? `waiting for rank ${awaited[rank] ?? ''}` : 'waiting for rank [013]';
      t.match(first[0]?.['error'], new RegExp(rank === 1 && saysItself ? '.' : words), `rank ${rank}`);
      const second = own.filter((row) => row['point'] === '1');
      t.match(second, [{ status: 'ok', wrong: '0' }, { status: 'ok' }], `rank ${rank} ran the next point`);
    }
  },
);

t.test(
  'a bit that flips at a relay is found, and the relay is named',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const fault = 'rank=2,point=0,stage=measure,action=corrupt';
    const run = { ranks: 4, ranksPerNode: 2, job: { dedup: 'node' }, fault };
    const { status, rows, said } = await exchange(t.testdir(), run);
    t.equal(status, 1, said);
    const wrong = rows.map((own) =>
      own.find((row) => row['phase'] === 'dispatch' && row['status'] === 'wrong'),
    );
    t.match(
      wrong[0],
      { first_bad: /source rank 2, token \d+, column 0: expected/ },
      'its own, over the network',
    );
    t.match(wrong[3], { first_bad: /source rank 0 through rank 2, token \d+, column 0: expected/ }, 'by ipc');
    t.notOk(wrong[2], 'what it keeps is right');
  },
);
