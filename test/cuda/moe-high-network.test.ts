/** High throughput on GPUs of emulated nodes: rows go through pinned host memory and the network. */
import t from 'tap';
import { exchange, namesSilent, sum } from '../helpers/run-exchange.js';
import { firstMissing, needsGpus, needsMpi } from '../helpers/require.js';
import type { CsvRow } from '../helpers/results.js';

t.setTimeout(600_000);

const onTwoGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(2)) };
const onFourGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(4)) };

const HIGH = {
  algorithm: 'highThroughput',
  hidden: 2001,
  numTopk: 6,
  numExperts: 64,
  numTokens: 300,
  maxDispatchTokensPerRank: 301,
  expertAlignment: 16,
} as const;
const twoNodes = { ranks: 2, ranksPerNode: 1, device: 'cuda' } as const;
const LAYOUTS = { outputLayout: ['rankMajor', 'expertMajor'], strategy: ['sparse', 'allGather'] };

t.test('two nodes of a GPU: every layout, payload, strategy and memory', onTwoGpus, async (t) => {
  const sweep = { ...LAYOUTS, dispatchDtype: ['bf16', 'fp8_e4m3'], receiveRows: ['exact', 'worstCase'] };
  const { status, rows, said } = await exchange(t.testdir(), { ...twoNodes, job: { ...HIGH, sweep } });
  t.equal(status, 0, said);
  // 16 points on 2 ranks, 2 phases; graphs cannot hold what the host does.
  t.equal(rows.flat().length, 2 * 2 * 16 * 2);
  for (const row of rows.flat()) {
    t.match(row, { status: 'ok', wrong: '0', checked: /^[1-9]/, device: 'cuda', bytes_ipc: '0' });
    t.match(row, { transport_used: 'network', network_memory: 'host', network_transport: /tcp/ });
    t.match(row, { bytes_network: /^[1-9]/, timing: /^(host|event)$/ });
  }
});

t.test('a layout used again, weights left out, and a strategy chosen by trial', onTwoGpus, async (t) => {
  const sweep = { outputLayout: LAYOUTS.outputLayout, strategy: ['sparse', 'auto'] };
  const job = { ...HIGH, reuseLayout: true, weighted: false, sweep };
  const { status, rows, said } = await exchange(t.testdir(), { ...twoNodes, job });
  t.equal(status, 0, said);
  t.equal(rows.flat().length, 4 * 2 * 2 * 2);
  for (const row of rows.flat()) {
    t.match(row, { status: 'ok', wrong: '0', strategy_used: /^(sparse|allGather)$/ });
  }
});

t.test('hybrid and network side by side, -1 entries, no tokens on a rank', onTwoGpus, async (t) => {
  const sweep = {
    ...LAYOUTS,
    transport: ['hybrid', 'network'],
    numTokens: [
      [300, 0],
      [17, 301],
    ],
  };
  const run = { ranks: 2, ranksPerNode: 2, device: 'cuda' } as const;
  const { status, rows, said } = await exchange(t.testdir(), { ...run, job: { ...HIGH, sweep } });
  t.equal(status, 0, said);
  for (const row of rows.flat()) t.match(row, { status: 'ok', wrong: '0' });
  const of = (transport: string): CsvRow[] =>
    rows.flat().filter((row) => row['transport_requested'] === transport);
  t.ok(of('hybrid').every((row) => row['transport_used'] === 'ipc'));
  t.ok(of('network').every((row) => row['transport_used'] === 'network'));
  t.ok(sum(of('network'), 'bytes_network') > 0);
});

t.test('2 nodes of 2 GPUs', onFourGpus, async (t) => {
  const sweep = { ...LAYOUTS, dispatchDtype: ['bf16', 'fp8_e4m3'], transport: ['hybrid', 'network'] };
  const run = { ranks: 4, ranksPerNode: 2, device: 'cuda' } as const;
  const { status, rows, said } = await exchange(t.testdir(), { ...run, job: { ...HIGH, sweep } });
  t.equal(status, 0, said);
  for (const row of rows.flat()) t.match(row, { status: 'ok', wrong: '0' });
  const of = (transport: string): CsvRow[] =>
    rows.flat().filter((row) => row['transport_requested'] === transport);
  t.ok(of('hybrid').every((row) => row['transport_used'] === 'ipc+network'));
  t.ok(sum(of('hybrid'), 'bytes_network') < sum(of('network'), 'bytes_network'));
});

t.test('receive memory that is too small is refused by both nodes', onTwoGpus, async (t) => {
  const { status, rows } = await exchange(t.testdir(), { ...twoNodes, job: { ...HIGH, receiveRows: 100 } });
  t.not(status, 0);
  t.equal(rows.flat().length, 2);
  const error = /rank 0 would receive \d+ expert rows .* expected at most 100 rows .*: nothing was written/;
  for (const row of rows.flat()) t.match(row, { status: 'failed', error_code: 'E_ARGUMENT', error });
});

t.test('a node that sends nothing is named, and the next point runs', onTwoGpus, async (t) => {
  const { status, rows, said } = await exchange(t.testdir(), {
    ...twoNodes,
    job: { ...HIGH, strategy: 'sparse', sweep: { outputLayout: LAYOUTS.outputLayout } },
    fault: 'rank=1,point=0,stage=measure,action=silence',
    timeoutSeconds: 10,
  });
  t.equal(status, 124, said);
  namesSilent(t, rows, 1);
});

t.test('a wrong row on its way into the network is found', onTwoGpus, async (t) => {
  const job = { ...HIGH, sweep: LAYOUTS };
  const fault = 'rank=1,point=0,stage=measure,action=corrupt';
  const { status, rows, said } = await exchange(t.testdir(), { ...twoNodes, job, fault });
  t.equal(status, 1, said);
  const wrong = rows.flat().filter((row) => Number(row['wrong']) > 0);
  t.ok(wrong.length > 0 && wrong.every((row) => row['status'] === 'wrong'), 'by the rank that received it');
});

t.test('forwarding between nodes of GPUs is refused by name, auto does without', onFourGpus, async (t) => {
  const run = { ranks: 4, ranksPerNode: 2, device: 'cuda' } as const;
  const job = { ...HIGH, strategy: 'sparse', sweep: { dedup: ['node', 'auto'] } };
  const { rows } = await exchange(t.testdir(), { ...run, job });
  const of = (point: string): CsvRow[] => rows.flat().filter((row) => row['point'] === point);
  t.ok(of('0').length > 0 && of('1').length > 0);
  for (const row of of('0'))
    t.match(row, { status: 'skipped', error: /not forwarded between nodes of GPUs/ });
  for (const row of of('1')) t.match(row, { status: 'ok', wrong: '0', strategy_used: 'sparse' });
});
