/** A data cable that is pulled while dispatchCombine runs between two hosts; MPI has a cable of its own. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { firstMissing, needsMpi, needsNamespaces } from '../helpers/require.js';
import { readManifest, readRankRows, type CsvRow } from '../helpers/results.js';
import { railrunner } from '../helpers/run-cli.js';
import { withHosts, type Hosts } from './hosts.js';

t.setTimeout(300_000);

const RANKS = 4;
/** A loaded machine needs some for the traffic after which the cable is pulled. */
const DEADLINE_SECONDS = 25;
const JOB = {
  kind: 'dispatchCombine',
  hidden: 1024,
  numTopk: 4,
  numExperts: 16,
  numTokens: 8,
  maxDispatchTokensPerRank: 8,
};
const specOf = (algorithm: object): object => ({
  device: 'host',
  defaults: { warmup: 1, iterations: 4, timeoutSeconds: 60 },
  jobs: [
    { id: 'before', ...JOB, ...algorithm },
    { id: 'pulled', ...JOB, ...algorithm, iterations: 1_000_000, timeoutSeconds: DEADLINE_SECONDS },
    { id: 'unplugged', ...JOB, ...algorithm, timeoutSeconds: DEADLINE_SECONDS },
    {
      id: 'local',
      kind: 'offload',
      from: 'device',
      to: 'host',
      layout: {
        kind: 'fullyContiguous',
        numLayers: 1,
        outerDim: 1,
        pageSize: 16,
        innerDim: 64,
        dtypeWidthBytes: 2,
      },
      pools: { deviceBlocks: 8, hostBlocks: 8 },
      blocks: 4,
    },
  ],
});

function rowsOf(folder: string, job: string): CsvRow[][] {
  if (!existsSync(folder)) return [];
  return readRankRows(folder).map((own) => own.filter((row) => row['job_id'] === job));
}

async function waitForRows(folder: string, job: string): Promise<void> {
  const deadline = performance.now() + 90_000;
  for (;;) {
    const rows = rowsOf(folder, job);
    if (rows.length === RANKS && rows.every((own) => own.length > 0)) return;
    if (performance.now() > deadline) throw new Error(`no rows of job ${job}`);
    await sleep(50);
  }
}

/** Until far more went over the data cables than preparing a point takes: the next point is measuring. */
async function waitForTraffic(bed: Hosts): Promise<void> {
  const sent = (): number => bed.bytes('data')['h1']?.sent ?? 0;
  const enough = sent() + 5e5;
  const deadline = performance.now() + 60_000;
  while (sent() < enough) {
    if (performance.now() > deadline) throw new Error('no traffic on the data cable');
    await sleep(50);
  }
}

const skip = firstMissing(needsNamespaces(), needsMpi('openmpi'));
t.test('a pulled data cable fails its point at the deadline, naming the peer', { skip }, async (t) => {
  await pullTheCable(t, {});
});

const ALL = process.env['RAILRUNNER_TEST_CUTS'] === 'all';
const needsCuts = ALL ? false : 'needs RAILRUNNER_TEST_CUTS=all (a minute)';
t.test('so it does with high throughput', { skip: firstMissing(skip, needsCuts) }, async (t) => {
  await pullTheCable(t, { algorithm: 'highThroughput', strategy: 'sparse' });
});

async function pullTheCable(t: import('tap').Test, algorithm: object): Promise<void> {
  const folder = t.testdir({ 'spec.json': JSON.stringify(specOf(algorithm)) });
  const run = join(folder, 'x');
  const body = async (bed: Hosts): Promise<void> => {
    const env = { UCX_NET_DEVICES: 'eth1' };
    const args = ['run', join(folder, 'spec.json'), '--out', folder, '--run-id', 'x'];
    const options = { mpi: 'openmpi', env, exported: ['UCX_NET_DEVICES'], timeoutMs: 240_000 } as const;
    const running = bed.startMpirun(options, [process.execPath, railrunner, ...args]);
    await waitForRows(run, 'before');
    await waitForTraffic(bed);
    bed.link('h1', 'down', 'data');
    const { status, stderr, stdout } = await running.finished;
    t.ok(status === 124 || status === 1, `${stdout}${stderr}`);
    t.match(readManifest(run), { outcome: /timeout|failed/, exitStatus: status });
  };
  await withHosts(2, 2, body, { dataCables: true });
  const pulled = rowsOf(run, 'pulled').map((own) => own[0]?.['error'] ?? '');
  t.ok(
    pulled.slice(0, 2).some((error) => /rank [23]\b/.test(error)),
    `h0 names whom of h1 it misses: ${pulled[0]}`,
  );
  t.ok(
    pulled.slice(2).some((error) => /rank [01]\b/.test(error)),
    `h1 names whom of h0 it misses: ${pulled[2]}`,
  );
  for (const rank of Array.from({ length: RANKS }, (_, index) => index)) {
    const of = (job: string): CsvRow[] => rowsOf(run, job)[rank] ?? [];
    // UCX notices an idle connection that died by itself, within seconds; one with data in flight never. A rank may
    // also wait at the gate for its neighbour, which waits for the other host.
    t.match(
      of('pulled'),
      [{ status: /timeout|failed/, error_code: /E_TIMEOUT|E_NETWORK|E_PEER_FAILED/, error: /rank \d/ }],
      `rank ${rank} says whom it waited for`,
    );
    t.match(
      of('unplugged'),
      [
        {
          status: 'failed',
          error_code: /E_NETWORK|E_PEER_FAILED/,
          error: /connecting to rank \d: |finds no network device.*earlier in this run/,
        },
      ],
      `rank ${rank} is told who could not be reached`,
    );
    for (const row of of('before')) t.match(row, { status: 'ok', wrong: '0', network_transport: 'tcp/eth1' });
    t.match(of('local').at(-1), { status: 'ok', wrong: '0' }, 'what needs no network goes on');
  }
}
