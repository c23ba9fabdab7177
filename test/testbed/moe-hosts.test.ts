/** dispatchCombine between hosts: right, and the network bytes are those that the cable counted. */
import { join } from 'node:path';
import t from 'tap';
import { firstMissing, needsMpi, needsNamespaces } from '../helpers/require.js';
import { readRankRows } from '../helpers/results.js';
import { sum } from '../helpers/run-exchange.js';
import { railrunner } from '../helpers/run-cli.js';
import { withHosts } from './hosts.js';

const WARMUP = 2;
const ITERATIONS = 30;

const spec = {
  device: 'host',
  defaults: { warmup: WARMUP, iterations: ITERATIONS, timeoutSeconds: 60 },
  jobs: [
    {
      id: 'moe',
      kind: 'dispatchCombine',
      hidden: 7168,
      numTopk: 8,
      numExperts: 64,
      numTokens: 32,
      maxDispatchTokensPerRank: 32,
      iterations: ITERATIONS,
      probe: false, // its streams cross the cable too
      sweep: { dedup: ['on', 'node'] },
    },
  ],
};
const [lowLatency] = spec.jobs;
if (lowLatency === undefined) throw new Error('the spec has a job');
const high = { ...lowLatency, id: 'high', algorithm: 'highThroughput', strategy: 'sparse' };
const both = { ...spec, jobs: [lowLatency, high] };

const skip = firstMissing(needsNamespaces(), needsMpi('openmpi'));
t.test('2 hosts with 2 ranks each: hybrid', { skip }, async (t) => {
  const folder = t.testdir({ 'spec.json': JSON.stringify(both) });
  await withHosts(2, 2, async (bed) => {
    const before = bed.bytes()['h0']?.sent ?? 0;
    const args = ['run', join(folder, 'spec.json'), '--out', folder, '--run-id', 'x'];
    const ended = await bed.mpirun({ mpi: 'openmpi' }, [process.execPath, railrunner, ...args]);
    const counted = (bed.bytes()['h0']?.sent ?? 0) - before;
    t.equal(ended.status, 0, ended.stderr + ended.stdout);
    const rows = readRankRows(join(folder, 'x'));
    for (const row of rows.flat()) {
      t.match(row, { status: 'ok', wrong: '0', transport_used: 'ipc+network', network_transport: /tcp/ });
    }
    const ofH0 = rows.flat().filter((row) => row['hostname'] === 'h0');
    t.equal(ofH0.length, 2 * 2 * 4, 'two ranks of two phases and four points run on h0');
    const calls = WARMUP + ITERATIONS;
    const issued = ofH0.reduce((total, row) => total + calls * Number(row['bytes_network']), 0);
    t.ok(issued > 10e6, `${issued} bytes issued`);
    for (const strategies of [
      ['dedup node', 'dedup on'],
      ['sparse, forwarded inside nodes', 'sparse'],
    ]) {
      const [node = NaN, on = NaN] = strategies.map((strategy) =>
        sum(
          ofH0.filter((row) => row['strategy_used'] === strategy),
          'bytes_network',
        ),
      );
      // 8 of 64 experts: a token goes to 1.8 of the 2 ranks of the other host, or once to the host.
      t.ok(node < 0.6 * on, `${node} bytes with one crossing a host, ${on} with one per rank`);
    }
    t.ok(counted > issued && counted < 1.1 * issued, `${counted} bytes on the cable, ${issued} issued`);
  });
});
