/** Replicated mode on real ranks of the host device: every strategy ends with the same blocks on every rank. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mpirunCli, type MpirunOptions } from '../../helpers/mpirun.js';
import {
  BLOCKS,
  PAYLOAD_BYTES,
  everySource,
  twoPoints,
  writeReplicatedSpec,
} from '../../helpers/replicated-spec.js';
import { needsMpi } from '../../helpers/require.js';
import { readManifest, readRankRows, type CsvRow } from '../../helpers/results.js';
import type { Finished } from '../../helpers/run-cli.js';

t.setTimeout(900_000);

const ROOTS: Readonly<Record<string, number>> = { host: 1, disk: 2, device: 3, down: 1 };
const DEVICE_POOL_WORDS = (48 * 4 * 2 * 16 * 128 * 2) / 8;

async function runOn(
  spec: string,
  folder: string,
  options: Partial<MpirunOptions> & { readonly ranks: number },
  args: readonly string[] = [],
): Promise<Pick<Finished, 'status' | 'timedOut'> & { readonly output: string; readonly rows: CsvRow[][] }> {
  const full = { mpi: 'openmpi', timeoutMs: 300_000, ...options } as const;
  const ended = await mpirunCli(full, ['run', spec, '--out', folder, '--run-id', 'x', ...args]);
  if (!existsSync(join(folder, 'x'))) throw new Error(ended.stderr + ended.stdout);
  const { status, timedOut, stderr, stdout } = ended;
  return { status, timedOut, output: stderr + stdout, rows: readRankRows(join(folder, 'x')) };
}

function checkRow(t: Test, row: CsvRow, rank: number): void {
  const job = row['job_id'] as string;
  const isRoot = rank === ROOTS[job];
  const name = `rank ${rank} ${job} ${row['params']} ${row['phase']}`;
  if (row['status'] === 'idle') {
    t.notOk(row['t_p50_us'] || row['payload_bytes'], `${name}: idle rows have neither times nor bytes`);
    return;
  }
  t.match(row, { status: 'ok', wrong: '0', error_code: '' }, name);
  if (job !== 'down')
    t.equal(Number(row['checked']), DEVICE_POOL_WORDS, `${name}: the whole pool was compared`);
  if (row['phase'] !== 'total') return;
  const payload = job === 'device' ? PAYLOAD_BYTES / 2 : PAYLOAD_BYTES;
  t.equal(Number(row['payload_bytes']), payload, name);
  const used = row['strategy_used'];
  if (job === 'disk' && used !== 'independent')
    t.equal(row['bytes_disk'] !== '', isRoot, `${name}: one read`);
  if (used === row['strategy_requested'] || row['strategy_requested'] === 'auto') return;
  t.match(row, { job_id: 'disk', strategy_requested: 'scatterAllgather', strategy_used: 'pipelined' }, name);
}

// With the threads that a rank has on a host of 12 or 24 cores: teams whose number of workers changes from copy to copy.
const THREADS = { RAILRUNNER_THREADS_PER_RANK: '6' };

const POINTS = 24;
const IPC_POINTS = 4;

const WORLDS = [
  { ranks: 4, nodes: 1, args: [], env: THREADS },
  { ranks: 4, nodes: 2, args: ['--ranks-per-node', '2'], env: THREADS },
  { ranks: 8, nodes: 2, args: ['--ranks-per-node', '4'], env: {} },
  { ranks: 8, nodes: 3, args: ['--ranks-per-node', '3'], env: {} },
] as const;

for (const { ranks, nodes, args, env } of WORLDS) {
  const title = `${ranks} ranks on ${nodes} nodes: every source and strategy`;
  t.test(title, { skip: needsMpi('openmpi') }, async (t) => {
    const folder = t.testdir();
    const { status, output, rows } = await runOn(
      writeReplicatedSpec(folder, everySource),
      folder,
      { ranks, env },
      args,
    );
    t.equal(status, 0, output);
    t.equal(rows.length, ranks);
    const isIpc = (row: CsvRow): boolean => row['strategy_requested'] === 'ipc';
    const refused = nodes > 1 ? rows.flat().filter(isIpc) : [];
    for (const row of refused) {
      t.match(row, { status: 'skipped', error: /strategy ipc: expected all ranks on one node/ });
    }
    t.equal(refused.length, nodes > 1 ? ranks * IPC_POINTS : 0, 'ipc is for one node');
    const ran = rows.map((own) => own.filter((row) => !refused.includes(row)));
    for (const [rank, own] of ran.entries()) for (const row of own) checkRow(t, row, rank);
    const totals = ran.map((own) => own.filter((row) => row['phase'] === 'total'));
    t.ok(
      totals.every((own) => own.length === (nodes > 1 ? POINTS - IPC_POINTS : POINTS)),
      'a total a point',
    );
    for (const row of totals.flat().filter((one) => one['job_id'] === 'down')) {
      t.equal(row['status'], row['rank'] === '1' ? 'ok' : 'idle', 'only the root offloads');
    }
    // What crosses between nodes: each node's bytes once, no matter who sends them.
    const sent = new Map<string, number>();
    for (const row of totals.flat()) {
      const point = row['point'] as string;
      sent.set(point, (sent.get(point) ?? 0) + Number(row['bytes_network']));
    }
    for (const row of totals[0] as CsvRow[]) {
      const once = row['job_id'] === 'device' ? PAYLOAD_BYTES / 2 : PAYLOAD_BYTES;
      const isAlone = row['job_id'] === 'down' || row['strategy_requested'] === 'independent';
      t.equal(sent.get(row['point'] as string), isAlone ? 0 : once * (nodes - 1), `point ${row['point']}`);
    }
    const overlaps = totals.flat().filter((row) => row['overlap_pct'] !== '');
    t.ok(overlaps.length > 0 && overlaps.every((row) => Number(row['overlap_pct']) <= 100));
    const serial = overlaps.filter((row) => row['strategy_used'] === 'rootBroadcast');
    t.ok(
      serial.every((row) => Number(row['overlap_pct']) === 0),
      'load then broadcast never overlap',
    );
  });
}

/** The guilty rank's row says what happened, every other rank's names it, and the next point is right on all. */
function checkFaultRows(t: Test, rows: readonly CsvRow[][], guilty: number, code: string): void {
  for (const [rank, own] of rows.entries()) {
    const first = own.find((row) => row['point'] === '0') as CsvRow;
    const expected = rank === guilty ? code : 'E_PEER_FAILED';
    t.match(first, { status: 'failed', error_code: expected }, `rank ${rank}: ${first['error']}`);
    if (rank !== guilty) t.match(first['error'], new RegExp(`rank ${guilty}\\b`), 'it names the guilty rank');
    for (const row of own.filter((one) => one['point'] === '1' && one['status'] !== 'idle')) {
      t.match(row, { status: 'ok', wrong: '0' }, `rank ${rank} ran the next point`);
    }
  }
}

const FAILING_LOADS = [
  { strategy: 'rootBroadcast', guilty: 1, args: [] },
  { strategy: 'pipelined', guilty: 1, args: ['--ranks-per-node', '2'] },
  { strategy: 'scatterAllgather', guilty: 3, args: [] },
  { strategy: 'ipc', guilty: 3, args: [] },
] as const;

for (const { strategy, guilty, args } of FAILING_LOADS) {
  const title = `${strategy}: a load that fails on rank ${guilty}`;
  t.test(title, { skip: needsMpi('openmpi') }, async (t) => {
    const folder = t.testdir();
    const spec = writeReplicatedSpec(folder, twoPoints(strategy));
    const env = { RAILRUNNER_FAULT: `rank=${guilty},point=0,stage=measure,action=failLoad` };
    const { status, output, rows } = await runOn(spec, folder, { ranks: 4, env }, args);
    t.equal(status, 1, output);
    checkFaultRows(t, rows, guilty, 'E_IO');
  });
}

t.test(
  'a rank with another order of blocks is named before anything moves',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const spec = writeReplicatedSpec(folder, twoPoints('pipelined'));
    const env = { RAILRUNNER_FAULT: 'rank=2,point=0,stage=prepare,action=misorder' };
    const { status, output, rows } = await runOn(spec, folder, { ranks: 4, env });
    t.equal(status, 1, output);
    for (const own of rows) {
      t.match(own[0], {
        status: 'failed',
        error_code: 'E_BLOCK_IDS',
        error: /geometry of rank 2 is not that of root 1/,
      });
      for (const row of own.filter((one) => one['point'] === '1' && one['status'] !== 'idle')) {
        t.match(row, { status: 'ok', wrong: '0' });
      }
    }
  },
);

// Of `ipc` from the device it is in the middle of the chain 3, 0, 1, 2.
const DYING = [
  { strategy: 'scatterAllgather', job: 'host', guilty: 2 },
  { strategy: 'ipc', job: 'device', guilty: 1 },
] as const;

for (const { strategy, job, guilty } of DYING) {
  t.test(
    `${strategy}: a rank that dies while blocks are handed on`,
    { skip: needsMpi('openmpi') },
    async (t) => {
      const folder = t.testdir();
      const spec = writeReplicatedSpec(folder, twoPoints(strategy, job), 600);
      const env = { RAILRUNNER_FAULT: `rank=${guilty},point=0,stage=measure,action=dieInGroup` };
      const { status, timedOut } = await runOn(spec, folder, { ranks: 4, env });
      t.not(status, 0);
      t.notOk(timedOut, 'nobody waited for the stage deadline of 600 s');
      t.not(readManifest(join(folder, 'x'))?.outcome, 'ok');
    },
  );
}

t.equal(BLOCKS % 8, 5, 'the payload is not even');
