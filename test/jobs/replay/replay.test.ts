/** A trace driven through real tiers on real ranks: what is done is what was decided, and what is wrong is found. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { needsMpi } from '../../helpers/require.js';
import { readCsv } from '../../helpers/results.js';
import { runCli } from '../../helpers/run-cli.js';
import { pointOf, rowOf, runReplay, SMALL_TRACE, TIER_BLOCKS } from '../../helpers/run-replay.js';
import type { Ran } from '../../helpers/run-spec.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { parseJson } from '../../helpers/json.js';

t.setTimeout(900_000);

const skip = needsMpi('openmpi');
const BLOCK_BYTES = 16 * 512;

interface Tier {
  readonly hits: number;
  readonly loads: number;
  readonly offloads: number;
  readonly evictions: number;
}

async function simulated(options: readonly string[] = []): Promise<Tier[]> {
  const blocks = TIER_BLOCKS.map(String);
  const limits = ['--limit', '150', ...options, '--format', 'json'];
  const ended = await runCli(['simulate', SMALL_TRACE, '--tier-blocks', ...blocks, ...limits]);
  return parseJson<{ tiers: Tier[] }>(ended.stdout).tiers;
}

function agrees(t: Test, run: Ran, rank: number, tiers: readonly Tier[]): void {
  const [device, host, disk] = tiers as readonly [Tier, Tier, Tier];
  t.match(rowOf(run, rank, 'replay'), {
    status: 'ok',
    wrong: '0',
    requests: '150',
    hits_device: String(device.hits),
    hits_host: String(host.hits),
    hits_disk: String(disk.hits),
    offloads_host: String(host.offloads),
    offloads_disk: String(disk.offloads),
    evictions_device: String(device.evictions),
    evictions_host: String(host.evictions),
    evictions_disk: String(disk.evictions),
  });
  const copied: [string, number][] = [
    ['host->device', host.loads],
    ['disk->device', disk.loads],
    ['device->host', host.offloads],
    ['host->disk', disk.offloads],
  ];
  for (const [direction, blocks] of copied) {
    const expected = { copied_blocks: String(blocks), payload_bytes: String(blocks * BLOCK_BYTES) };
    t.match(rowOf(run, rank, 'copy', direction), expected, direction);
  }
}

t.test('sharded: as the simulator says, by the clock, and in parts', { skip }, (t) =>
  withTempDir(async (folder) => {
    const paced = { trace: { path: SMALL_TRACE, requests: 60, skip: 5 }, speedup: 50, warmupRequests: 20 };
    const run = await runReplay(folder, {
      jobs: [
        { saveSamples: true },
        { ...paced, sweep: { pacing: ['recorded', 'sessions'] }, verify: 'sample', probe: false },
        { trace: { path: SMALL_TRACE, requests: 20 }, pools: { deviceBlocks: 3 }, policy: 'arc' },
      ],
    });
    t.equal(run.status, 0, run.said);
    await t.test('hits, loads, evictions and bytes are those of the simulator', (t) =>
      checkWhole(t, pointOf(run, 0)),
    );
    await t.test('every request has a line in samples/', async (t) => checkSamples(t, folder, run));
    await t.test('recorded times and sessions: nothing begins early, lateness is counted', async (t) => {
      for (const rank of [0, 1]) {
        for (const point of [1, 2]) {
          const row = rowOf(pointOf(run, point), rank, 'replay');
          t.match(row, { requests: '40', wrong: '0', status: 'ok' });
          t.ok(Number(row['queue_depth_max']) >= 1 && Number(row['late']) >= 0);
          // 40 requests, 294 ms apart in the mean, 50 times as fast: 0.2 s.
          t.ok(Number(row['t_p50_us']) > 80_000, `waited for the recorded times: ${row['t_p50_us']} us`);
        }
      }
    });
    await t.test('a job without probes has no limits to compare its copies with', async (t) => {
      const shares = [0, 1].map(
        (point) => rowOf(pointOf(run, point), 0, 'copy', 'device->host')['pct_of_peak'],
      );
      t.ok(Number(shares[0]) > 0, `${shares[0]} % of the probed copy`);
      t.equal(shares[1], '');
    });
    await t.test('a device smaller than a request, and one that stands alone', async (t) => {
      const row = rowOf(pointOf(run, 3), 0, 'replay');
      t.ok(Number(row['not_kept']) > 0, 'requests are served in parts');
      t.match(row, { status: 'ok', wrong: '0', offloads_host: '0', bottleneck: '' }, 'nothing was copied');
    });
    const report = ['report', join(folder, 'x'), '--out', join(folder, 'report'), '--format', 'html'];
    t.equal((await runCli(report)).status, 0);
    const page = readFileSync(join(folder, 'report', 'report.html'), 'utf8');
    const shares = String.raw`device \d+\.\d %, host \d+\.\d %, disk \d+\.\d %, missed \d+\.\d %`;
    t.match(
      page,
      new RegExp(`Where blocks were found of replay-0\\. .*: ${shares}\\.`),
      'a report shows where they were found',
    );
  }),
);

async function checkWhole(t: Test, run: Ran): Promise<void> {
  const tiers = await simulated();
  t.ok(
    tiers.every(({ hits, evictions }) => hits > 0 && evictions > 0),
    'every tier is used and overflows',
  );
  for (const rank of [0, 1]) agrees(t, run, rank, tiers);
  const windows = (run.rows[1] ?? []).filter(({ phase }) => phase?.startsWith('window'));
  t.equal(windows.length, 5);
  const sum = windows.reduce((total, row) => total + Number(row['hits_host']), 0);
  t.equal(sum, tiers[1]?.hits, 'windows add up to the whole');
  t.match(run.said, /hit_rates: device \d/, 'the table tells the hit rates');
  t.notMatch(run.said, /window 1/, 'and leaves the windows to the files of the ranks');
  const loads = Number(rowOf(run, 0, 'onboard')['requests']);
  t.ok(loads > 0 && rowOf(run, 0, 'onboard')['t_p50_us'], 'time to onboard of the requests that load');
  t.ok(Number(rowOf(run, 0, 'replay')['leader_us_per_block']) > 0);
}

function checkSamples(t: Test, folder: string, run: Ran): void {
  const lines = readCsv(join(folder, 'x', 'samples', 'point-00000-rank-0001.csv'));
  const requests = lines.filter(({ phase }) => phase === 'request');
  t.same(
    requests.map(({ request }) => request),
    Array.from({ length: 150 }, (_, request) => String(request)),
  );
  const whole = rowOf(run, 1, 'replay');
  const sumOf = (name: string): number => requests.reduce((total, row) => total + Number(row[name]), 0);
  for (const name of ['hits_device', 'hits_host', 'hits_disk'])
    t.equal(String(sumOf(name)), whole[name], name);
  t.equal(String(sumOf('blocks')), whole['prefix_blocks']);
  t.equal(String(sumOf('loaded_bytes') + sumOf('offloaded_bytes')), whole['payload_bytes']);
}

t.test('replicated: one load for all ranks, the tiers on the root alone', { skip: needsMpi('mpich') }, (t) =>
  withTempDir(async (folder) => {
    const job = {
      mode: 'replicated',
      root: 1,
      policy: 's3fifo',
      layout: { kind: 'layerSeparate', numLayers: 3, outerDim: 1, innerDim: 16, pageSize: 128 },
    };
    const run = await runReplay(folder, { mpi: 'mpich', jobs: [job] });
    t.equal(run.status, 0, run.said);
    const tiers = await simulated(['--tier-policy', 's3fifo']);
    for (const rank of [0, 1]) {
      t.match(rowOf(run, rank, 'replay'), {
        wrong: '0',
        hits_host: String(tiers[1]?.hits),
        hits_disk: String(tiers[2]?.hits),
      });
      t.match(rowOf(run, rank, 'copy', 'host->device'), { copied_blocks: String(tiers[1]?.loads) });
    }
    t.ok(Number(rowOf(run, 0, 'replay')['load_setup_us']) > 0);
    t.match(rowOf(run, 1, 'copy', 'device->host'), { copied_blocks: String(tiers[1]?.offloads) });
    t.throws(() => rowOf(run, 0, 'copy', 'device->host'), 'only the root offloads');
  }),
);

t.test('what goes wrong on one rank is found and named', { skip }, (t) =>
  withTempDir(async (folder) => {
    const actions = ['misorder', 'corrupt', 'failLoad', 'dieInGroup'];
    const faults = actions.map((action, point) => `rank=1,point=${point},stage=measure,action=${action}`);
    const run = await runReplay(folder, { jobs: actions.map(() => ({})), fault: faults.join(';') });
    t.not(run.status, 0);
    const place = String.raw`request \d+, block \d+ of \d+, device slot \d+`;
    const word = String.raw`block \d+ layer \d+ outer \d+ word \d+: expected 0x\w+, found 0x\w+`;
    const wrong = (how: string): RegExp =>
      new RegExp(`checked values differ; first: ${place}, ${how}: ${word}`);
    const found = { status: 'wrong', error_code: 'E_WRONG_DATA' };
    const swapped = rowOf(pointOf(run, 0), 1, 'replay');
    t.match(swapped, { ...found, error: wrong('loaded by host->device') }, 'a wrong decision');
    const stale = rowOf(pointOf(run, 1), 1, 'replay');
    t.match(stale, { ...found, error: wrong('found in the device') }, 'a stale block');
    const [own, failed] = [0, 1].map((rank) => rowOf(pointOf(run, 2), rank, 'replay'));
    t.match(own, { failed_blocks: '0', status: 'ok' });
    t.ok(Number(failed?.['failed_blocks']) > 0, 'a load that fails is counted');
    t.match(failed, { wrong: '0', status: 'ok' }, 'and what was computed instead is right');
    const killed = { status: 'aborted', error_code: 'E_PEER_DEAD', error: /rank 1 ended/, hung_rank: '1' };
    t.match(pointOf(run, 3).rows[0]?.[0], killed, 'a rank killed in the middle of a window');
  }),
);
