/** A trace driven through real tiers on real ranks: what is done is what was decided, and what is wrong is found. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { firstMissing, needsMpi } from '../../helpers/require.js';
import { runCli } from '../../helpers/run-cli.js';
import { rowOf, runReplay, SMALL_TRACE, TIER_BLOCKS, type Replayed } from '../../helpers/run-replay.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

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
  return (JSON.parse(ended.stdout) as { tiers: Tier[] }).tiers;
}

function agrees(t: Test, run: Replayed, rank: number, tiers: readonly Tier[]): void {
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

t.test('sharded: hits, loads, evictions and bytes are those of the simulator', { skip }, (t) =>
  withTempDir(async (folder) => {
    const run = await runReplay(folder);
    t.equal(run.status, 0, run.said);
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
    const report = ['report', join(folder, 'x'), '--out', join(folder, 'report'), '--format', 'html'];
    t.equal((await runCli(report)).status, 0);
    const page = readFileSync(join(folder, 'report', 'report.html'), 'utf8');
    const shares = String.raw`device \d+\.\d %, host \d+\.\d %, disk \d+\.\d %, missed \d+\.\d %`;
    t.match(
      page,
      new RegExp(`Where blocks were found of replay\\. .*: ${shares}\\.`),
      'a report shows where they were found',
    );
  }),
);

t.test('replicated: one load for all ranks, the tiers only on the root', { skip: needsMpi('mpich') }, (t) =>
  withTempDir(async (folder) => {
    const job = {
      mode: 'replicated',
      root: 1,
      policy: 's3fifo',
      layout: { kind: 'layerSeparate', numLayers: 3, outerDim: 1, innerDim: 16, pageSize: 128 },
    };
    const run = await runReplay(folder, { mpi: 'mpich', job });
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
    t.match(rowOf(run, 1, 'copy', 'device->host'), { copied_blocks: String(tiers[1]?.offloads) });
    t.throws(() => rowOf(run, 0, 'copy', 'device->host'), 'only the root offloads');
  }),
);

t.test('recorded times and sessions: nothing begins early, lateness is counted', { skip }, (t) =>
  withTempDir(async (folder) => {
    const shared = { trace: { path: SMALL_TRACE, requests: 60, skip: 5 }, speedup: 50, warmupRequests: 20 };
    const job = { ...shared, sweep: { pacing: ['recorded', 'sessions'] }, verify: 'sample' };
    const run = await runReplay(folder, { job });
    t.equal(run.status, 0, run.said);
    for (const row of (run.rows[0] ?? []).filter(({ phase }) => phase === 'replay')) {
      t.match(row, { requests: '40', wrong: '0', status: 'ok' });
      t.ok(Number(row['queue_depth_max']) >= 1 && Number(row['late']) >= 0);
      // 40 requests, 294 ms apart in the mean, 50 times as fast: 0.2 s.
      t.ok(Number(row['t_p50_us']) > 80_000, `waited for the recorded times: ${row['t_p50_us']} us`);
    }
  }),
);

const fault = (action: string): string => `rank=1,point=0,stage=measure,action=${action}`;

t.test('a wrong decision on one rank, and a stale block: request, block and layer are named', { skip }, (t) =>
  withTempDir(async (folder) => {
    const swapped = await runReplay(folder, { fault: fault('misorder') });
    t.equal(swapped.status, 1);
    const place = String.raw`request \d+, block \d+ of \d+, device slot \d+`;
    const word = String.raw`block \d+ layer \d+ outer \d+ word \d+: expected 0x\w+, found 0x\w+`;
    t.match(
      swapped.said,
      new RegExp(`on rank 1: E_WRONG_DATA: .*first: ${place}, loaded by host->device: ${word}`),
    );
    await withTempDir(async (other) => {
      const stale = await runReplay(other, { fault: fault('corrupt') });
      t.equal(stale.status, 1);
      t.match(
        stale.said,
        new RegExp(`on rank 1: E_WRONG_DATA: .*first: ${place}, found in the device: ${word}`),
      );
    });
  }),
);

t.test('a load that fails: counted, computed instead, no longer in its tier', { skip }, (t) =>
  withTempDir(async (folder) => {
    const run = await runReplay(folder, { fault: fault('failLoad') });
    t.equal(run.status, 0, run.said);
    t.equal(rowOf(run, 0, 'replay')['failed_blocks'], '0');
    t.ok(Number(rowOf(run, 1, 'replay')['failed_blocks']) > 0);
    t.match(rowOf(run, 1, 'replay'), { wrong: '0', status: 'ok' }, 'and what stands there is right');
  }),
);

t.test('a rank killed in the middle of a window ends the run and is named', { skip }, (t) =>
  withTempDir(async (folder) => {
    const run = await runReplay(folder, { fault: fault('dieInGroup') });
    t.not(run.status, 0);
    t.match(run.rows[0]?.[0], {
      status: 'aborted',
      error_code: 'E_PEER_DEAD',
      error: /rank 1 ended/,
      hung_rank: '1',
    });
  }),
);

t.test('a device smaller than a request, and one without other tiers', { skip: firstMissing(skip) }, (t) =>
  withTempDir(async (folder) => {
    const trace = { path: SMALL_TRACE, requests: 20 };
    const run = await runReplay(folder, {
      ranks: 1,
      job: { trace, pools: { deviceBlocks: 3 }, policy: 'arc' },
    });
    t.equal(run.status, 0, run.said);
    const row = rowOf(run, 0, 'replay');
    t.ok(Number(row['not_kept']) > 0, 'requests are served in parts');
    t.equal(row['bottleneck'], '', 'nothing was copied');
    t.equal(row['offloads_host'], '0');
  }),
);
