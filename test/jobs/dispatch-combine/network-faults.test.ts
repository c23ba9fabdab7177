/** dispatchCombine over the network when a rank freezes inside an exchange, and where there is no UCX. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { mpirunCli, startMpirun } from '../../helpers/mpirun.js';
import { needsMpi } from '../../helpers/require.js';
import { readManifest, readRankRows, type CsvRow } from '../../helpers/results.js';
import { railrunner, runArgs } from '../../helpers/run-cli.js';

const RANKS = 4;
const VICTIM = 3;

function writeSpec(folder: string, job: Readonly<Record<string, unknown>>): string[] {
  const spec = {
    device: 'host',
    ranksPerNode: 2,
    defaults: { warmup: 1, iterations: 4, timeoutSeconds: 8 },
    jobs: [
      {
        id: 'moe',
        kind: 'dispatchCombine',
        hidden: 256,
        numTopk: 4,
        numExperts: 16,
        numTokens: 8,
        maxDispatchTokensPerRank: 8,
        iterations: 4,
        ...job,
      },
    ],
  };
  const path = join(folder, 'spec.json');
  writeFileSync(path, JSON.stringify(spec));
  return runArgs(path, folder);
}

/** Once it says that the measuring has begun. */
async function pidOfVictim(folder: string): Promise<number> {
  const log = join(folder, 'x', `rank-000${VICTIM}.log`);
  for (let tries = 0; tries < 1200; tries += 1) {
    const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
    if (lines.length > 1) return (JSON.parse(lines[0] as string) as { pid: number }).pid;
    await sleep(100);
  }
  throw new Error('the victim wrote no log');
}

t.test(
  'a rank that stops answering inside an exchange ends the others at their deadline, named',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const env = { RAILRUNNER_FAULT: `rank=${VICTIM},point=0,stage=measure,action=silence` };
    const args = writeSpec(folder, { transport: 'network' });
    const run = { mpi: 'openmpi', ranks: RANKS, env, timeoutMs: 150_000 } as const;
    const running = startMpirun(run, [process.execPath, railrunner, ...args]);
    const victim = await pidOfVictim(folder);
    await sleep(1500); // the others now wait for its messages
    process.kill(victim, 'SIGSTOP'); // Open MPI would end all others with one that is killed
    const { stderr, stdout, timedOut } = await running.finished;
    t.notOk(timedOut, 'they ended by themselves');
    t.match(stderr + stdout, /rank 3/);
    const survivors = readRankRows(join(folder, 'x')).slice(0, VICTIM);
    t.equal(survivors.length, VICTIM);
    for (const [rank, rows] of survivors.entries()) {
      t.ok(rows.length > 0, `rank ${rank} wrote its row`);
      for (const row of rows) {
        t.match(row, { status: /failed|timeout|aborted/, error: /rank 3/ }, `rank ${rank}`);
        t.match(row['error_code'], /^E_/);
      }
    }
  },
);

t.test(
  'without UCX what needs a network is skipped, the rest runs',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    mkdirSync(join(folder, 'lib'));
    writeFileSync(join(folder, 'lib', 'libucp.so.0'), ''); // found first, and no library
    const path = [join(folder, 'lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
    const args = writeSpec(folder, { sweep: { transport: ['network', 'ipc'] } });
    const options = {
      mpi: 'openmpi',
      ranks: RANKS,
      env: { LD_LIBRARY_PATH: path },
      timeoutMs: 150_000,
    } as const;
    const ended = await mpirunCli(options, [...args, '--ranks-per-node', '0']);
    t.equal(ended.status, 0, ended.stderr + ended.stdout);
    const rows: CsvRow[] = readRankRows(join(folder, 'x')).flat();
    const over = (transport: string): CsvRow[] =>
      rows.filter((row) => row['params']?.includes(`"transport":"${transport}"`));
    t.equal(over('network').length, RANKS, 'one row per rank');
    for (const row of over('network')) {
      t.match(row, { status: 'skipped', error_code: 'E_NETWORK_MISSING', error: /libucp\.so\.0/ });
    }
    t.ok(
      over('ipc').length > 0 && over('ipc').every((row) => row['status'] === 'ok'),
      'shared memory needs none',
    );
  },
);

t.test(
  'MSCCLPP_EP_NUM_PROXIES sets the threads, and 33 are refused',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const run = { mpi: 'openmpi', ranks: RANKS, timeoutMs: 150_000 } as const;
    const args = writeSpec(folder, {});
    const ended = await mpirunCli({ ...run, env: { MSCCLPP_EP_NUM_PROXIES: '3' } }, args);
    t.equal(ended.status, 0, ended.stderr + ended.stdout);
    for (const row of readRankRows(join(folder, 'x')).flat()) {
      t.match(row, { status: 'ok', wrong: '0', transport_used: 'ipc+network' });
    }
    t.match(
      readManifest(join(folder, 'x'))?.spec.resolved,
      { jobs: [{ base: { numProxies: 3 } }] },
      'the resolved spec has what the variable set',
    );
    const refused = await mpirunCli({ ...run, env: { MSCCLPP_EP_NUM_PROXIES: '33' } }, args);
    t.equal(refused.status, 2);
    t.match(refused.stderr, /MSCCLPP_EP_NUM_PROXIES.*1 to 32/);
  },
);
