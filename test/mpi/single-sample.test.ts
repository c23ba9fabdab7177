/**
 * One sample without a warmup, as people try things out: it is the first and the last at once, runs on poisoned memory
 * like any last one, and right data are found right.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mpirunCli } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { readRankRows } from '../helpers/results.js';

t.setTimeout(600_000);

const layout = {
  kind: 'fullyContiguous',
  numLayers: 2,
  outerDim: 2,
  pageSize: 16,
  innerDim: 64,
  dtypeWidthBytes: 2,
};
const pools = (...tiers: readonly ('device' | 'host' | 'disk')[]): Record<string, number> =>
  Object.fromEntries(tiers.map((tier) => [`${tier}Blocks`, 8]));
const kv = { layout, blocks: 4, order: 'shuffled' };
const moe = { kind: 'dispatchCombine', hidden: 128, numTopk: 2, numExperts: 8, numTokens: 4 };

const JOBS = [
  { ...kv, id: 'down', kind: 'offload', from: 'device', to: 'host', pools: pools('device', 'host') },
  { ...kv, id: 'to-disk', kind: 'offload', from: 'device', to: 'disk', pools: pools('device', 'disk') },
  { ...kv, id: 'up', kind: 'onboard', from: 'host', to: 'device', pools: pools('device', 'host') },
  { ...kv, id: 'from-disk', kind: 'onboard', from: 'disk', to: 'device', pools: pools('device', 'disk') },
  {
    ...kv,
    id: 'all',
    kind: 'broadcast',
    from: 'host',
    pools: pools('device', 'host'),
    sweep: { strategy: ['rootBroadcast', 'pipelined', 'scatterAllgather', 'independent'] },
  },
  {
    ...moe,
    id: 'ep',
    maxDispatchTokensPerRank: 8,
    sweep: { transport: ['ipc', 'network'], dedup: ['on', 'off'], dispatchDtype: ['bf16', 'fp8_e4m3'] },
  },
  { ...moe, id: 'by-rank', maxDispatchTokensPerRank: 8, outputLayout: 'rankMajor' },
  { ...moe, id: 'split', maxDispatchTokensPerRank: 8, phases: 'split' },
];

t.test('every kind is right with warmup 0 and iterations 1', { skip: needsMpi('openmpi') }, async (t) => {
  const folder = t.testdir();
  mkdirSync(join(folder, 'out'));
  const defaults = { warmup: 0, iterations: 1, timeoutSeconds: 60, probe: false };
  const spec = join(folder, 'spec.json');
  writeFileSync(spec, JSON.stringify({ name: 'single', device: 'host', defaults, jobs: JOBS }));
  const args = ['run', spec, '--out', join(folder, 'out'), '--run-id', 'x'];
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2, timeoutMs: 300_000 }, args);
  t.equal(ended.status, 0, ended.stderr + ended.stdout);
  const rows = readRankRows(join(folder, 'out', 'x'));
  t.equal(rows.length, 2);
  for (const own of rows) {
    const seen = new Set(own.map((row) => row['job_id']));
    t.same(
      JOBS.filter(({ id }) => !seen.has(id)),
      [],
      'every job has rows',
    );
    for (const row of own) {
      t.match(
        row,
        { status: /^(ok|idle)$/, wrong: /^0?$/ },
        `${row['job_id']} ${row['params']} ${row['phase']}`,
      );
    }
  }
});
