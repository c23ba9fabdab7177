/** High throughput as a job on GPUs, a process per rank: every layout and strategy verified, and what has no room refused. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runArgs } from '../helpers/run-cli.js';
import { mpirunCli } from '../helpers/mpirun.js';
import { firstMissing, needsGpus, needsMpi } from '../helpers/require.js';
import { readRankRows, type CsvRow } from '../helpers/results.js';

t.setTimeout(300_000);

const JOB = {
  id: 'high',
  kind: 'dispatchCombine',
  algorithm: 'highThroughput',
  hidden: 2001,
  numTopk: 6,
  numExperts: 64,
  numTokens: 300,
  maxDispatchTokensPerRank: 301,
  expertAlignment: 16,
  routing: { kind: 'uniform', maskedFraction: 0.1 },
  warmup: 1,
  iterations: 3,
} as const;

async function runJob(
  folder: string,
  job: object,
  env: Readonly<Record<string, string>> = {},
): Promise<{ status: number | null; rows: CsvRow[] }> {
  const spec = join(folder, 'spec.json');
  writeFileSync(spec, JSON.stringify({ device: 'cuda', jobs: [{ ...JOB, ...job }] }));
  const args = runArgs(spec, folder);
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2, env, timeoutMs: 120_000 }, args);
  return { status: ended.status, rows: readRankRows(join(folder, 'x')).flat() };
}

const onTwoGpus = { skip: firstMissing(needsMpi('openmpi'), needsGpus(2)) };
const outputLayout = ['rankMajor', 'expertMajor'];

t.test('every layout, payload, strategy and memory', onTwoGpus, async (t) => {
  const sweep = {
    outputLayout,
    strategy: ['sparse', 'allGather'],
    dispatchDtype: ['bf16', 'fp8_e4m3'],
    receiveRows: ['exact', 'worstCase'],
  };
  const { status, rows } = await runJob(t.testdir(), { sweep });
  t.equal(status, 0);
  for (const row of rows) t.match(row, { status: 'ok', wrong: '0', checked: /^[1-9]/, sms: /^[1-9]/ });
  // 16 points on 2 ranks, 2 phases; timing graph where no counts are waited for.
  t.equal(rows.length, 2 * 2 * (8 * 2 + 8 * 3));
});

t.test('a layout used again, and a strategy chosen by trial', onTwoGpus, async (t) => {
  const sweep = { outputLayout, strategy: ['sparse', 'auto'] };
  const { status, rows } = await runJob(t.testdir(), { reuseLayout: true, weighted: false, sweep });
  t.equal(status, 0);
  for (const row of rows) t.match(row, { status: 'ok', wrong: '0', strategy_used: /^(sparse|allGather)$/ });
  t.equal(rows.length, 4 * 2 * 2 * 3);
});

t.test('receive memory that is too small is refused by both ranks', onTwoGpus, async (t) => {
  const { status, rows } = await runJob(t.testdir(), { receiveRows: 100 });
  t.not(status, 0);
  t.equal(rows.length, 2);
  const error = /rank 0 would receive \d+ expert rows .* expected at most 100 rows .*: nothing was written/;
  for (const row of rows) t.match(row, { status: 'failed', error_code: 'E_ARGUMENT', error });
});

t.test('a wrong row is found by the rank that got it', onTwoGpus, async (t) => {
  for (const strategy of ['sparse', 'allGather']) {
    const env = { RAILRUNNER_FAULT: 'rank=1,point=0,stage=measure,action=corrupt' };
    const { status, rows } = await runJob(t.testdir(), { outputLayout: 'rankMajor', strategy }, env);
    t.equal(status, 1);
    const found = rows.find((row) => row['rank'] === '0' && row['status'] === 'wrong');
    t.match(found, { phase: 'dispatch', first_bad: /of rank 1, column/ }, strategy);
  }
});
