/**
 * Every kind that has `stopping`, on real ranks: all take the same number of samples, in batches of one open operation, and
 * what the last of them left is right.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { mpirunCli, startMpirun, type Mpi } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { readCsv, readManifest, readRankRows, type CsvRow } from '../helpers/results.js';
import { railrunner, runArgs } from '../helpers/run-cli.js';
import { SMALL_TRANSFER } from '../helpers/run-transfer.js';
import { SMALL_LAYOUT } from '../helpers/small-spec.js';

t.setTimeout(600_000);

const kv = { layout: SMALL_LAYOUT, blocks: 4, order: 'shuffled' };
const moe = { kind: 'dispatchCombine', hidden: 128, numTopk: 2, numExperts: 8, numTokens: 4 };
const high = { ...moe, algorithm: 'highThroughput', numTokens: 8 };
/** `wide`: on few cores four ranks wait for each other long, so that a part has to do. */
const JOBS = [
  { ...kv, id: 'down', kind: 'offload', strategy: 'auto', saveSamples: true, probe: true },
  { ...kv, id: 'to-disk', kind: 'offload', to: 'disk' },
  { ...kv, id: 'both', kind: 'onboard', bidirectional: true, freeRunning: true },
  { ...kv, id: 'root', kind: 'offload', mode: 'replicated' },
  { ...kv, id: 'all', kind: 'broadcast', sweep: { strategy: ['auto', 'independent'] } },
  { ...moe, id: 'ep', transport: 'network' },
  { ...moe, id: 'split', phases: 'split', outputLayout: 'rankMajor' },
  { ...high, id: 'high', reuseLayout: true },
  SMALL_TRANSFER,
  { ...SMALL_TRANSFER, id: 'over-network', transport: 'network' },
] as const;
const WIDE = new Set(['down', 'root', 'all', 'split', 'move']);

const MOST = 40;
/** No samples are as calm as that. */
const NEVER = 1e-9;

async function runJobs(
  t: Test,
  { mpi, ranks }: { readonly mpi: Mpi; readonly ranks: number },
  jobs: readonly object[],
  maxNoisePct: number,
): Promise<string> {
  const folder = t.testdir();
  const stopping = { maxNoisePct, minIterations: 16, maxIterations: MOST, maxSeconds: 60 };
  const defaults = { warmup: 2, timeoutSeconds: 120, probe: false, stopping };
  const spec = join(folder, 'spec.json');
  writeFileSync(spec, JSON.stringify({ name: 'stopping', device: 'host', defaults, jobs }));
  const args = ['run', spec, '--out', folder, '--run-id', `${mpi}-${ranks}`];
  const ended = await mpirunCli({ mpi, ranks, timeoutMs: 300_000 }, args);
  t.equal(ended.status, 0, ended.stderr + ended.stdout);
  return join(folder, `${mpi}-${ranks}`);
}

const nameOf = (row: CsvRow): string =>
  ['job_id', 'params', 'phase', 'direction'].map((key) => row[key]).join(' ');

/** What holds of a row whatever the machine does meanwhile. */
function checkRow(t: Test, row: CsvRow, wanted: readonly string[]): void {
  if (row['status'] === 'idle') {
    t.match(row, { iterations: '', stopped_by: '' }, nameOf(row));
    return;
  }
  t.match(row, { status: 'ok', wrong: '0', warmup: '2' }, nameOf(row));
  t.ok(Number(row['checked']) > 0, `${nameOf(row)} is verified`);
  t.ok(wanted.includes(row['stopped_by'] ?? ''), `${nameOf(row)}: ${row['stopped_by']}`);
  const taken = Number(row['iterations']);
  t.ok(taken >= 16 && taken <= MOST && (row['stopped_by'] !== 'maxIterations' || taken === MOST), `${taken}`);
}

for (const { mpi, ranks, maxNoisePct, jobs } of [
  { mpi: 'openmpi', ranks: 2, maxNoisePct: NEVER, jobs: JOBS },
  { mpi: 'mpich', ranks: 4, maxNoisePct: 30, jobs: JOBS.filter(({ id }) => WIDE.has(id)) },
] as const) {
  t.test(`${jobs.length} jobs on ${ranks} ranks of ${mpi}`, { skip: needsMpi(mpi) }, async (t) => {
    const run = await runJobs(t, { mpi, ranks }, jobs, maxNoisePct);
    const wanted = maxNoisePct === NEVER ? ['maxIterations'] : ['noise', 'maxIterations'];
    const perRank = readRankRows(run);
    t.equal(perRank.length, ranks);
    for (const row of perRank.flat()) checkRow(t, row, wanted);
    const names = new Set(perRank.flat().map((row) => row['job_id']));
    t.equal(names.size, jobs.length);
    for (const row of readCsv(join(run, 'summary.csv')).filter(({ status }) => status !== 'idle')) {
      t.match(
        row,
        { iterations: /^\d+$/, stopped_by: /^\w+$/ },
        `${nameOf(row)}: one number and reason on all ranks`,
      );
      const noisePct = Number(row['median_noise_pct']);
      const isJudged = row['phase'] === 'total' && row['stopped_by'] === 'noise';
      if (isJudged) t.ok(noisePct <= maxNoisePct, `${nameOf(row)}: ${noisePct} %`);
    }
    const samples = readCsv(join(run, 'samples', 'point-00000-rank-0001.csv'));
    t.same(
      samples.map(({ iteration }) => iteration),
      samples.map((_, at) => String(at)),
    );
    t.equal(String(samples.length), perRank[1]?.[0]?.['iterations']);
  });
}

t.test('SIGTERM while batches follow each other', { skip: needsMpi('openmpi') }, async (t) => {
  const folder = t.testdir();
  const stopping = { maxNoisePct: NEVER, minIterations: 16, maxIterations: 1_000_000, maxSeconds: 300 };
  const defaults = { probe: false, timeoutSeconds: 600 };
  const jobs = [
    { ...kv, id: 'first', kind: 'offload', iterations: 1 },
    { ...SMALL_TRANSFER, stopping },
  ];
  const spec = join(folder, 'spec.json');
  writeFileSync(spec, JSON.stringify({ name: 'long', device: 'host', defaults, jobs }));
  const args = runArgs(spec, folder);
  const world = { mpi: 'openmpi', ranks: 2, timeoutMs: 200_000 } as const;
  const running = startMpirun(world, [process.execPath, railrunner, ...args]);
  await running.waitFor(/\[1\/2\]/);
  await sleep(300);
  running.child.kill('SIGTERM');
  const ended = await running.finished;
  t.equal(ended.timedOut, false, ended.stderr);
  t.match(readManifest(join(folder, 'x')), { outcome: 'aborted', exitStatus: 143 });
  for (const rows of readRankRows(join(folder, 'x'))) {
    const moves = rows.filter((row) => row['job_id'] === 'move');
    t.ok(moves.length > 0);
    for (const row of moves) t.match(row, { status: 'aborted', stopped_by: '', t_p50_us: '' });
  }
});
