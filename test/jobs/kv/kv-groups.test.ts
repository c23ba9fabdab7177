/** Blocks of several groups of layers on real ranks of the host device: planned bytes move, every word is right. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runArgs } from '../../helpers/run-cli.js';
import { JOB_KINDS } from '../../../jobs/index.js';
import { loadSpec } from '../../../runner/job-spec/load.js';
import { planPoints } from '../../../runner/job-spec/plan.js';
import { SMALL } from '../../helpers/group-layouts.js';
import { mpirunCli } from '../../helpers/mpirun.js';
import { needsMpi } from '../../helpers/require.js';
import { readRankRows } from '../../helpers/results.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

type Json = Readonly<Record<string, unknown>>;
t.setTimeout(900_000);

const RANKS = 4;
const POOLS = { deviceBlocks: 24, hostBlocks: 32, diskBlocks: 32 };
const layoutOf = (groups: unknown, keys: Json = {}): Json => ({
  kind: 'fullyContiguous',
  pageSize: 16,
  groups,
  ...keys,
});
const TRACE = [5, 12, 3, 9]
  .map((ids, request) => ({
    timestamp: request,
    input_length: ids * 32,
    output_length: 1,
    hash_ids: Array.from({ length: ids }, (_, at) => (at < 2 ? at : request * 100 + at)),
  }))
  .map((line) => JSON.stringify(line))
  .join('\n');

/** Every path that blocks take, with blocks of two groups or another kind of model. */
function jobsOf(groups: unknown): Json[] {
  const common = { layout: layoutOf(groups), pools: POOLS, blocks: 9, order: 'shuffled' };
  const layouts = { 'layout.kind': ['fullyContiguous', 'layerSeparate'] };
  return [
    {
      ...common,
      id: 'down',
      kind: 'offload',
      from: 'device',
      to: 'host',
      sweep: { ...layouts, strategy: ['memcpy', 'kernel', 'auto'] },
    },
    {
      ...common,
      id: 'up',
      kind: 'onboard',
      from: 'host',
      to: 'device',
      hostLayout: { kind: 'layerSeparate' },
      layerRange: [1, 2],
      sweep: { strategy: ['auto'] },
    },
    { ...common, id: 'both', kind: 'offload', from: 'device', to: 'host', bidirectional: true },
    { ...common, id: 'disk', kind: 'offload', from: 'device', to: 'disk', sweep: layouts },
    {
      ...common,
      id: 'back',
      kind: 'onboard',
      from: 'disk',
      to: 'device',
      sweep: { strategy: ['memcpy', 'auto'] },
    },
    {
      ...common,
      id: 'replicated',
      kind: 'onboard',
      from: 'host',
      to: 'device',
      mode: 'replicated',
      root: 1,
      chunkBytes: 4096,
      maxCtas: 'uncapped',
      sweep: { strategy: ['rootBroadcast', 'pipelined', 'scatterAllgather', 'independent', 'auto'] },
    },
  ];
}

/** Requests outgrow the windows: sections of their own, in sharded and replicated mode. */
function tracedJobs(groups: unknown): Json[] {
  const pools = { deviceBlocks: 128, hostBlocks: 160, diskBlocks: 128 };
  const common = {
    layout: layoutOf(groups),
    pools,
    order: 'trace',
    trace: { path: 'trace.jsonl', blockTokens: 32 },
  };
  return [
    {
      ...common,
      id: 'aged',
      kind: 'offload',
      from: 'device',
      to: 'host',
      sweep: { 'layout.kind': ['fullyContiguous', 'layerSeparate'] },
    },
    { ...common, id: 'agedDisk', kind: 'onboard', from: 'disk', to: 'device', blocks: 20 },
    {
      ...common,
      id: 'agedBoth',
      kind: 'offload',
      from: 'device',
      to: 'host',
      bidirectional: true,
      blocks: 11,
    },
    {
      ...common,
      id: 'agedAll',
      kind: 'broadcast',
      from: 'host',
      root: 2,
      sweep: { strategy: ['pipelined', 'scatterAllgather'] },
    },
    { ...common, id: 'agedDevice', kind: 'broadcast', from: 'device', root: 3 },
  ];
}

async function runJobs(test: typeof t, mpi: 'openmpi' | 'mpich', jobs: readonly Json[]): Promise<void> {
  await withTempDir(async (folder) => {
    const spec = join(folder, 'spec.json');
    writeFileSync(join(folder, 'trace.jsonl'), TRACE);
    const defaults = { warmup: 1, iterations: 3, probe: false };
    writeFileSync(spec, JSON.stringify({ name: 'groups', device: 'host', defaults, jobs }));
    const resolved = loadSpec(spec, { kinds: JOB_KINDS });
    const planned = planPoints(resolved, JOB_KINDS, RANKS);
    const options = { mpi, ranks: RANKS, timeoutMs: 400_000 } as const;
    const ended = await mpirunCli(options, runArgs(spec, folder));
    test.equal(ended.status, 0, (ended.stdout + ended.stderr).slice(-3000));
    const rows = readRankRows(join(folder, 'x'));
    test.equal(rows.length, RANKS);
    for (const [rank, ofRank] of rows.entries()) {
      const totals = ofRank.filter(({ phase, status }) => phase === 'total' && status === 'ok');
      for (const row of ofRank) {
        const name = `rank ${rank} ${row['job_id']} ${row['params']} ${row['phase']}`;
        if (row['status'] !== 'idle') test.match(row, { status: 'ok', wrong: '0', error_code: '' }, name);
      }
      for (const row of totals) {
        const point = planned[Number(row['point'])];
        const name = `rank ${rank} ${row['job_id']} ${row['params']}: bytes of the plan`;
        test.equal(Number(row['payload_bytes']), point?.ranks[rank]?.payloadBytes, name);
        test.not(row['checked'], '0', name);
      }
      test.ok(totals.length >= jobs.length - 1, `rank ${rank} measured`);
    }
  });
}

for (const [name, groups] of Object.entries(SMALL)) {
  t.test(`blocks of ${name} on 4 ranks`, { skip: needsMpi('openmpi') }, (test) =>
    runJobs(test as typeof t, 'openmpi', jobsOf(groups)),
  );
}

for (const mpi of ['openmpi', 'mpich'] as const) {
  t.test(`requests that outgrow windows on 4 ranks of ${mpi}`, { skip: needsMpi(mpi) }, async (test) => {
    await runJobs(test as typeof t, mpi, tracedJobs(SMALL['fullAndWindow']));
    if (mpi === 'openmpi') await runJobs(test as typeof t, mpi, tracedJobs(SMALL['sharedLayers']));
  });
}
