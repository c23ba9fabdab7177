/** The limit of dispatch and combine: its formula, and the rows of real ranks by every path. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runArgs } from '../../helpers/run-cli.js';
import { bytesToPeers, peakOf, sourceBytes } from '../../../jobs/dispatch-combine/bytes/peak.js';
import { makeRouting } from '../../../jobs/dispatch-combine/routing/routing.js';
import { countRouting } from '../../../jobs/dispatch-combine/bytes/routing-counts.js';
import { messageBytes, trafficOf } from '../../../jobs/dispatch-combine/bytes/traffic.js';
import { mpirunCli } from '../../helpers/mpirun.js';
import { isAbout, requireConsistent } from '../../helpers/peak-rows.js';
import { needsMpi } from '../../helpers/require.js';
import { readCsv, readRankRows, type CsvRow } from '../../helpers/results.js';
import { moeSpec } from './moe-points.js';

t.test('the floor is the time of the slower path', async (t) => {
  const payload = 900_000;
  const rates = { ipcGBps: 10, networkGBps: 2 };
  // 1 MB at 10 GB/s: 100 us. 0.1 MB at 2 GB/s: 50 us. 0.4 MB: 200 us.
  t.same(peakOf(payload, { ipc: 1_000_000, network: 0 }, rates), { GBps: 9, source: 'peer copy' });
  t.same(peakOf(payload, { ipc: 0, network: 100_000 }, rates), { GBps: 18, source: 'network stream' });
  t.same(peakOf(payload, { ipc: 1_000_000, network: 0 }, rates, 'cuda'), { GBps: 9, source: 'peer stores' });
  const both = 'peer copy + network stream';
  t.same(peakOf(payload, { ipc: 1_000_000, network: 100_000 }, rates), { GBps: 9, source: both });
  t.same(peakOf(payload, { ipc: 1_000_000, network: 400_000 }, rates), { GBps: 4.5, source: both });
});

t.test('no peak where it would mean nothing', async (t) => {
  const rates = { ipcGBps: 10, networkGBps: 2 };
  t.equal(peakOf(1000, { ipc: 0, network: 0 }, rates), undefined, 'nothing leaves the rank');
  t.equal(peakOf(0, { ipc: 24, network: 0 }, rates), undefined, 'only signals');
  t.equal(peakOf(1000, { ipc: 1000, network: 0 }, { ipcGBps: 0, networkGBps: 0 }), undefined, 'not probed');
  t.equal(
    peakOf(1000, { ipc: 1000, network: 1000 }, { ipcGBps: 10, networkGBps: 0 }),
    undefined,
    'one of two paths was not probed',
  );
});

t.test('the probe sends the bytes of each path, where the messages go', async (t) => {
  const paths = ['self', 'ipc', 'network', 'network'] as const;
  const issued = { self: 77, ipc: 1001, network: 1000 };
  t.same([...bytesToPeers(paths, issued, [9, 3, 1, 3])], [0, 1001, 250, 750]);
  t.same([...bytesToPeers(paths, issued, [9, 3, 0, 4])], [0, 1001, 0, 1000]);
  t.same([...bytesToPeers(paths, { self: 0, ipc: 8, network: 16 }, [0, 0, 0, 0])], [0, 8, 8, 8]);
  const uneven = [
    ...bytesToPeers(['ipc', 'self', 'ipc', 'ipc'], { self: 0, ipc: 100, network: 0 }, [1, 0, 1, 1]),
  ];
  t.equal(
    uneven.reduce((a, b) => a + b, 0),
    100,
    'nothing is lost by rounding',
  );
});

t.test('what is read: dispatch its tokens, combine a row for each it sends back', async (t) => {
  const spec = moeSpec({ dedup: 'on' });
  const routing = makeRouting(spec, 4);
  const traffic = trafficOf(spec, countRouting(spec, routing, [0, 0, 0, 0]), 1, null);
  t.equal(sourceBytes(spec, traffic, 12, 'dispatch'), 12 * messageBytes(spec));
  const rows = traffic.rowsFor.reduce((a, b) => a + b, 0);
  t.equal(sourceBytes(spec, traffic, 12, 'combine'), rows * 2 * 256);
});

const JOB = {
  id: 'moe',
  kind: 'dispatchCombine',
  hidden: 512,
  numTopk: 4,
  numExperts: 16,
  numTokens: 12,
  maxDispatchTokensPerRank: 16,
  warmup: 1,
  iterations: 4,
} as const;

interface Ran {
  readonly rows: readonly CsvRow[];
  readonly summary: readonly CsvRow[];
}

async function run(folder: string, ranksPerNode: number, job: object): Promise<Ran> {
  const spec = join(folder, 'spec.json');
  writeFileSync(spec, JSON.stringify({ device: 'host', ranksPerNode, jobs: [{ ...JOB, ...job }] }));
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 4, timeoutMs: 90_000 }, runArgs(spec, folder));
  if (ended.status !== 0) throw new Error(ended.stderr + ended.stdout);
  return { rows: readRankRows(join(folder, 'x')).flat(), summary: readCsv(join(folder, 'x', 'summary.csv')) };
}

t.test(
  '4 ranks, 2 emulated nodes: hybrid and network rows have a peak',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const sweep = { transport: ['hybrid', 'network'], dedup: ['on', 'off'], numProxies: ['auto', 2] };
    const { rows, summary } = await run(t.testdir(), 2, { sweep });
    t.equal(rows.length, 4 * 2 * 8);
    for (const row of rows) {
      const isHybrid = row['transport_requested'] === 'hybrid';
      requireConsistent(t, row, isHybrid ? 'peer copy + network stream' : 'network stream');
    }
    for (const row of summary) {
      const peaks = rows.filter((one) => one['point'] === row['point'] && one['phase'] === row['phase']);
      const total = peaks.reduce((all, one) => all + Number(one['peak_GBps']), 0);
      isAbout(t, Number(row['aggregate_peak_GBps']), total, 'the sum over ranks');
    }
  },
);

t.test(
  '4 ranks on one node: peer copies; halves and `probe: false` have none',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const uneven = [0, 16, 3, 7];
    const folder = t.testdir({ whole: {}, split: {}, off: {} });
    const whole = await run(join(folder, 'whole'), 0, { sweep: { dedup: ['on', 'off'] } });
    for (const row of whole.rows) requireConsistent(t, row, 'peer copy');
    t.equal(whole.rows.length, 4 * 2 * 2);

    const split = await run(join(folder, 'split'), 0, {
      sweep: { phases: ['split', 'fused'] },
      numTokens: uneven,
    });
    for (const row of split.rows) {
      const isWhole = row['phase'] === 'dispatch' || row['phase'] === 'combine';
      if (isWhole && Number(row['payload_bytes']) > 0) requireConsistent(t, row, 'peer copy');
      else t.match(row, { status: 'ok', wrong: '0', peak_GBps: '', peak_source: '', pct_of_peak: '' });
    }

    const off = await run(join(folder, 'off'), 2, { probe: false });
    t.equal(off.rows.length, 4 * 2);
    for (const row of off.rows) {
      t.match(row, { status: 'ok', wrong: '0', peak_GBps: '', peak_source: '', pct_of_peak: '' });
    }
  },
);
