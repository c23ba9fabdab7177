/** algorithm highThroughput on real ranks: every format and strategy, nodes, faults that must be heard. */
import t from 'tap';
import { needsMpi } from '../../helpers/require.js';
import type { CsvRow } from '../../helpers/results.js';
import { exchange, namesSilent, sum } from '../../helpers/run-exchange.js';

const HIGH = { algorithm: 'highThroughput', strategy: 'sparse' } as const;

function allRight(t: import('tap').Test, rows: readonly CsvRow[]): void {
  t.ok(rows.length > 0);
  for (const row of rows) {
    if (row['status'] === 'ok' && row['wrong'] === '0' && Number(row['checked']) > 0) continue;
    t.fail(
      `${row['job_id']} ${row['params']} ${row['phase']} rank ${row['rank']}: ${row['status']} ${row['error']}`,
    );
  }
}

const ofJob = (rows: readonly CsvRow[][], id: string): CsvRow[] =>
  rows.flat().filter((row) => row['job_id'] === id);
const withParam = (rows: readonly CsvRow[], name: string, value: unknown): CsvRow[] =>
  rows.filter((row) => (JSON.parse(row['params'] ?? '{}') as Record<string, unknown>)[name] === value);

t.test('4 ranks on one node', { skip: needsMpi('openmpi') }, async (t) => {
  const formats = {
    dispatchDtype: ['bf16', 'fp8_e4m3'],
    outputLayout: ['expertMajor', 'rankMajor'],
    strategy: ['sparse', 'allGather', 'auto'],
    reuseLayout: [false, true],
  };
  const uneven = {
    numTokens: [[0, 16, 3, 7], 0, 1],
    routing: [{ kind: 'kHot' }, { kind: 'uniform', maskedFraction: 1 }],
    weighted: [true, false],
  };
  const { status, rows, said } = await exchange(t.testdir(), {
    ranks: 4,
    job: [
      { ...HIGH, sweep: formats },
      { ...HIGH, sweep: uneven },
      { ...HIGH, sweep: { expertAlignment: [1, 64], receiveRows: ['exact', 'worstCase', 700] } },
      { ...HIGH, numTokens: 16, routing: { kind: 'kHot' }, receiveRows: 30 },
      { ...HIGH },
    ],
  });
  t.equal(status, 1, said);

  await t.test('every format, strategy and layout is right, -1 and no tokens too', async (t) => {
    for (const id of ['moe0', 'moe1', 'moe2', 'moe4']) allRight(t, ofJob(rows, id));
    for (const row of ofJob(rows, 'moe0')) {
      t.ok(Number(row['first_call_us']) > 0, 'the first call is reported separately');
      if (row['strategy_requested'] !== 'auto') t.equal(row['strategy_used'], row['strategy_requested']);
      else t.match(row['strategy_used'], /^(sparse|allGather)$/);
    }
  });

  await t.test('memory is for the rows that come, and their alignment', async (t) => {
    const of = (alignment: number, receive: string): CsvRow | undefined =>
      withParam(withParam(ofJob(rows, 'moe2'), 'expertAlignment', alignment), 'receiveRows', receive)[0];
    t.equal(of(1, 'exact')?.['receive_rows'], of(1, 'exact')?.['rows_received']);
    t.equal(Number(of(64, 'exact')?.['receive_rows']) % 64, 0);
    t.equal(of(1, 'worstCase')?.['receive_rows'], String(4 * 16 * 4), '4 x 16 tokens, for 4 experts each');
  });

  await t.test('rows without room are refused on every rank in the same words', async (t) => {
    const errors = new Set(ofJob(rows, 'moe3').map((row) => `${row['status']} ${row['error']}`));
    t.equal(ofJob(rows, 'moe3').length, 4);
    t.equal(errors.size, 1);
    t.match(
      [...errors][0],
      /^failed dispatch: rank \d would receive \d+ expert rows.*at most 30 rows.*nothing was written/,
    );
  });
});

t.test('2 emulated nodes', { skip: needsMpi('openmpi') }, async (t) => {
  const sweep = {
    dedup: ['auto', 'on'],
    transport: ['hybrid', 'network'],
    strategy: ['sparse', 'allGather'],
    dispatchDtype: ['bf16', 'fp8_e4m3'],
  };
  const job = { ...HIGH, numTokens: [12, 0, 16, 5], sweep };
  const { status, rows, said } = await exchange(t.testdir(), { ranks: 4, ranksPerNode: 2, job });
  t.equal(status, 0, said);
  allRight(t, rows.flat());
  const hybrid = withParam(withParam(rows.flat(), 'transport', 'hybrid'), 'strategy', 'sparse');
  const bytes = (dedup: string, column: string): number => sum(withParam(hybrid, 'dedup', dedup), column);
  t.ok(bytes('auto', 'bytes_network') < bytes('on', 'bytes_network'), 'a token crosses once for each node');
  t.ok(bytes('auto', 'bytes_ipc') > bytes('on', 'bytes_ipc'), 'and is handed on inside it');
  t.ok(bytes('auto', 'messages_forwarded') > 0 && bytes('on', 'messages_forwarded') === 0);
  t.ok(bytes('auto', 'messages_sent') < bytes('on', 'messages_sent'));
  for (const row of withParam(rows.flat(), 'transport', 'network')) {
    t.match(row, { transport_used: 'network', bytes_ipc: '0' });
  }
});

t.test('8 ranks on 4 emulated nodes, under MPICH', { skip: needsMpi('mpich') }, async (t) => {
  const sweep = {
    outputLayout: ['expertMajor', 'rankMajor'],
    weighted: [true, false],
    reuseLayout: [false, true],
  };
  const job = { ...HIGH, sweep };
  const { status, rows, said } = await exchange(t.testdir(), {
    ranks: 8,
    mpi: 'mpich',
    ranksPerNode: 2,
    job,
  });
  t.equal(status, 0, said);
  allRight(t, rows.flat());
  for (const row of rows.flat()) t.equal(row['strategy_used'], 'sparse, forwarded inside nodes');
});

t.test('a rank that never reaches the count exchange is named', { skip: needsMpi('openmpi') }, async (t) => {
  const { rows } = await exchange(t.testdir(), {
    ranks: 4,
    ranksPerNode: 2,
    timeoutSeconds: 6,
    fault: 'rank=3,point=0,stage=measure,action=silence',
    job: { ...HIGH, sweep: { numTokens: [12, 8] } },
  });
  namesSilent(t, rows, 3);
});

t.test('one wrong bit is found, on this node and the other', { skip: needsMpi('openmpi') }, async (t) => {
  const { status, rows } = await exchange(t.testdir(), {
    ranks: 4,
    ranksPerNode: 2,
    fault: 'rank=1,point=0,stage=measure,action=corrupt',
    job: { ...HIGH, numTokens: 16 },
  });
  t.equal(status, 1);
  for (const rank of [0, 2, 3]) {
    const dispatch = rows[rank]?.find((row) => row['phase'] === 'dispatch');
    t.match(dispatch, { status: 'wrong', first_bad: /of rank 1, column 0/ }, `rank ${rank}`);
  }
});
