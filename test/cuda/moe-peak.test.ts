/** Rows of dispatch and combine between GPUs are compared with what the links take for the bytes by themselves. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runArgs } from '../helpers/run-cli.js';
import { mpirunCli } from '../helpers/mpirun.js';
import { requireConsistent } from '../helpers/peak-rows.js';
import { firstMissing, needsGpus, needsMpi } from '../helpers/require.js';
import { readRankRows, type CsvRow } from '../helpers/results.js';

t.setTimeout(300_000);

const JOB = {
  id: 'moe',
  kind: 'dispatchCombine',
  hidden: 512,
  numTopk: 4,
  numExperts: 16,
  maxDispatchTokensPerRank: 16,
  warmup: 1,
  iterations: 4,
} as const;

async function runJob(folder: string, job: object): Promise<CsvRow[]> {
  const spec = join(folder, 'spec.json');
  writeFileSync(spec, JSON.stringify({ device: 'cuda', jobs: [{ ...JOB, ...job }] }));
  const args = runArgs(spec, folder);
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2, timeoutMs: 90_000 }, args);
  if (ended.status !== 0) throw new Error(ended.stderr + ended.stdout);
  return readRankRows(join(folder, 'x')).flat();
}

const onTwoGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(2)) };

t.test('rows of every timing have the peak of their bytes', onTwoGpus, async (t) => {
  const sweep = { dedup: ['on', 'off'], dispatchDtype: ['bf16', 'fp8_e4m3'] };
  const rows = await runJob(t.testdir(), { numTokens: 12, sweep });
  // 4 points, 2 ranks, 2 phases, 3 timings.
  t.equal(rows.length, 4 * 2 * 2 * 3);
  for (const row of rows) requireConsistent(t, row, 'peer stores');
});

t.test('none where a rank sends nothing, for halves, and without a probe', onTwoGpus, async (t) => {
  const folder = t.testdir({ uneven: {}, split: {}, off: {} });
  const none = { status: 'ok', wrong: '0', peak_GBps: '', peak_source: '', pct_of_peak: '' };
  const uneven = await runJob(join(folder, 'uneven'), { numTokens: [0, 16] });
  const sent = (row: CsvRow) => Number(row['payload_bytes']) > 0;
  t.ok(uneven.some(sent));
  t.ok(uneven.some((row) => !sent(row)));
  for (const row of uneven) {
    if (sent(row)) requireConsistent(t, row, 'peer stores');
    else t.match(row, none);
  }
  const split = await runJob(join(folder, 'split'), { numTokens: 12, phases: 'split' });
  const off = await runJob(join(folder, 'off'), { numTokens: 12, probe: false });
  for (const row of [...split, ...off]) t.match(row, none);
});
