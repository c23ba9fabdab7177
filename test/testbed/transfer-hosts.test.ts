/** transfer between hosts: right, by the cable's own count, and what becomes of it when the cable is pulled. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { firstMissing, needsMpi, needsNamespaces } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { railrunner } from '../helpers/run-cli.js';
import { SMALL_TRANSFER } from '../helpers/run-transfer.js';
import { withHosts, type Hosts } from './hosts.js';

t.setTimeout(400_000);

const WARMUP = 1;
const ITERATIONS = 10;
const skip = firstMissing(needsNamespaces(), needsMpi('openmpi'));

const specOf = (job: object): string =>
  JSON.stringify({
    device: 'host',
    defaults: { warmup: WARMUP, iterations: ITERATIONS, timeoutSeconds: 60, probe: false },
    jobs: [{ ...SMALL_TRANSFER, iterations: ITERATIONS, blocks: 32, pattern: 'pair', op: 'write', ...job }],
  });

t.test(
  '2 hosts with a rank each: writes and reads, and the kernel counts the same bytes',
  { skip },
  async (t) => {
    const folder = t.testdir({ 'spec.json': specOf({ op: 'both', to: 'host' }) });
    await withHosts(2, 1, async (bed) => {
      const args = ['run', join(folder, 'spec.json'), '--out', folder, '--run-id', 'x'];
      const ended = await bed.mpirun({ mpi: 'openmpi' }, [process.execPath, railrunner, ...args]);
      t.equal(ended.status, 0, ended.stderr + ended.stdout);
      const totals = readRankRows(join(folder, 'x'))
        .flat()
        .filter((row) => row['phase'] === 'total' && row['status'] !== 'idle');
      t.equal(totals.filter((row) => Number(row['checked']) > 0).length, totals.length);
      for (const row of totals) t.match(row, { status: 'ok', wrong: '0' });
      const write = totals.find(
        (row) => Number(row['bytes_network']) > 0 && row['direction']?.startsWith('write'),
      );
      t.match(write, { transport_used: 'network', wire_source: '/proc/net/dev, 1 rank of this host' });
      const [issued, counted] = [Number(write?.['bytes_network']), Number(write?.['wire_bytes'])];
      t.equal(issued, 32 * 16 * 1536, 'bytes of the plan');
      t.ok(counted > issued && counted < 1.1 * issued, `${counted} bytes by the kernel, ${issued} issued`);
    });
  },
);

const allFaults = process.env['RAILRUNNER_ALL_FAULTS'] === '1';
const skipCut = firstMissing(
  skip,
  allFaults ? false : 'needs RAILRUNNER_ALL_FAULTS=1, for it takes its deadline',
);

async function waitForTraffic(bed: Hosts): Promise<void> {
  const sent = (): number => bed.bytes('data')['h0']?.sent ?? 0;
  for (const enough = sent() + 50e6; sent() < enough;) await sleep(50);
}

t.test('a data cable that is pulled in the middle: bounded end, peer named', { skip: skipCut }, async (t) => {
  const folder = t.testdir({ 'spec.json': specOf({ iterations: 1_000_000, timeoutSeconds: 25 }) });
  await withHosts(
    2,
    1,
    async (bed) => {
      const env = { UCX_NET_DEVICES: 'eth1' };
      const args = ['run', join(folder, 'spec.json'), '--out', folder, '--run-id', 'x'];
      const options = { mpi: 'openmpi', env, exported: ['UCX_NET_DEVICES'], timeoutMs: 240_000 } as const;
      const running = bed.startMpirun(options, [process.execPath, railrunner, ...args]);
      await Promise.race([waitForTraffic(bed), running.finished]);
      bed.link('h1', 'down', 'data');
      const { status, stderr, stdout } = await running.finished;
      t.ok(status === 124 || status === 1, `${status}: ${stdout}${stderr}`);
      const run = join(folder, 'x');
      t.ok(existsSync(run));
      t.match(readManifest(run), { outcome: /timeout|failed/ });
      const rows = readRankRows(run).flat();
      t.same(
        rows.filter((row) => row['status'] === 'ok'),
        [],
        'nothing is marked ok',
      );
      t.ok(
        rows.some((row) => /rank [01]/.test(row['error'] ?? '')),
        JSON.stringify(rows),
      );
    },
    { dataCables: true },
  );
});
