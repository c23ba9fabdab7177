/** dispatchCombine on GPUs whose ranks form emulated nodes: what crosses goes through host memory and the network. */
import t from 'tap';
import { exchange, namesSilent, sum } from '../helpers/run-exchange.js';
import { firstMissing, needsGpus, needsMpi } from '../helpers/require.js';
import type { CsvRow } from '../helpers/results.js';

t.setTimeout(600_000);

const onTwoGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(2)) };
const onFourGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(4)) };

const VARIANTS = { dedup: ['on', 'off'], phases: ['fused', 'split'], dispatchDtype: ['bf16', 'fp8_e4m3'] };

t.test('each GPU a node of its own: every row comes over the network', onTwoGpus, async (t) => {
  const run = { ranks: 2, ranksPerNode: 1, device: 'cuda', job: { sweep: VARIANTS } } as const;
  const { status, rows, said } = await exchange(t.testdir(), run);
  t.equal(status, 0, said);
  t.equal(new Set(rows.flat().map((row) => row['point'])).size, 8);
  for (const row of rows.flat()) {
    t.match(row, { status: 'ok', wrong: '0', device: 'cuda' });
    t.match(row['bytes_ipc'], /^0?$/, 'a receive half issues nothing, so has none');
    t.match(row, { transport_used: 'network', network_memory: 'host', network_transport: /tcp/ });
  }
  t.ok(sum(rows.flat(), 'bytes_network') > 0);
});

t.test('2 nodes of 2 GPUs: hybrid spares the network what stays inside a node', onFourGpus, async (t) => {
  const job = { sweep: { ...VARIANTS, transport: ['hybrid', 'network'] } };
  const run = { ranks: 4, ranksPerNode: 2, device: 'cuda', job } as const;
  const { status, rows, said } = await exchange(t.testdir(), run);
  t.equal(status, 0, said);
  for (const row of rows.flat()) t.match(row, { status: 'ok', wrong: '0', device: 'cuda' });
  const of = (transport: string): CsvRow[] =>
    rows.flat().filter((row) => row['transport_requested'] === transport);
  t.ok(of('hybrid').every((row) => row['transport_used'] === 'ipc+network'));
  t.ok(of('network').every((row) => row['transport_used'] === 'network'));
  t.ok(sum(of('hybrid'), 'bytes_ipc') > 0);
  t.ok(sum(of('hybrid'), 'bytes_network') < sum(of('network'), 'bytes_network'));
});

t.test('a token crosses once per node of GPUs and is forwarded there', onFourGpus, async (t) => {
  const variants = { outputLayout: ['expertMajor', 'rankMajor'], phases: ['fused', 'split'] };
  const sweep = { ...variants, dispatchDtype: ['bf16', 'fp8_e4m3'], dedup: ['on', 'node'] };
  const run = { ranks: 4, ranksPerNode: 2, device: 'cuda', job: { sweep } } as const;
  const { status, rows, said } = await exchange(t.testdir(), run);
  t.equal(status, 0, said);
  for (const row of rows.flat()) t.match(row, { status: 'ok', wrong: '0', transport_used: 'ipc+network' });
  const of = (dedup: string): CsvRow[] =>
    rows.flat().filter((row) => row['strategy_used'] === `dedup ${dedup}`);
  t.equal(of('node').length, of('on').length);
  t.ok(sum(of('node'), 'messages_forwarded') > 0);
  t.ok(sum(of('node'), 'bytes_network') < sum(of('on'), 'bytes_network'), 'fewer bytes between nodes');
});

t.test('a GPU that sends nothing to another node is named, and the next point runs', onTwoGpus, async (t) => {
  const { status, rows, said } = await exchange(t.testdir(), {
    ranks: 2,
    ranksPerNode: 1,
    device: 'cuda',
    job: { sweep: { dedup: ['off', 'on'] } },
    fault: 'rank=1,point=0,stage=measure,action=silence',
    timeoutSeconds: 15,
  });
  t.equal(status, 124, said);
  namesSilent(t, rows, 1);
});

t.test('one wrong bit on its way into the network is found', onTwoGpus, async (t) => {
  const { status, rows, said } = await exchange(t.testdir(), {
    ranks: 2,
    ranksPerNode: 1,
    device: 'cuda',
    job: {},
    fault: 'rank=1,point=0,stage=measure,action=corrupt',
  });
  t.equal(status, 1, said);
  const wrong = rows.flat().filter((row) => Number(row['wrong']) > 0);
  t.ok(wrong.length > 0 && wrong.every((row) => row['status'] === 'wrong'), 'by the rank that received it');
});
