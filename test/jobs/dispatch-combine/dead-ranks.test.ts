/** A rank that dies or freezes inside an exchange: the others end long before their deadline, and name it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MPIS, startMpirun, type Mpi } from '../../helpers/mpirun.js';
import { whenMeasuring } from '../../helpers/rank-process.js';
import { needsMpi } from '../../helpers/require.js';
import { readManifest, readRankRows, type CsvRow } from '../../helpers/results.js';
import { railrunner } from '../../helpers/run-cli.js';

t.setTimeout(600_000);

const RANKS = 4;
const VICTIM = 3;
/** Far above what anything here takes: who waits for it fails the test. */
const DEADLINE_SECONDS = 600;
/** Heartbeats are missed after 5 s; the rest is for a loaded machine. */
const END_LIMIT_MS = 120_000;

/** Point 0 takes milliseconds, the measuring of point 1 has no end, point 2 never begins. */
function writeSpec(folder: string): string[] {
  const job = {
    kind: 'dispatchCombine',
    hidden: 256,
    numTopk: 4,
    numExperts: 16,
    numTokens: 8,
    maxDispatchTokensPerRank: 8,
  };
  const spec = {
    device: 'host',
    ranksPerNode: 2,
    defaults: { warmup: 1, iterations: 4, timeoutSeconds: DEADLINE_SECONDS },
    jobs: [
      { id: 'short', ...job },
      {
        id: 'long',
        ...job,
        hidden: 2048,
        numTokens: 64,
        maxDispatchTokensPerRank: 64,
        iterations: 1_000_000,
      },
      { id: 'never', ...job },
    ],
  };
  writeFileSync(join(folder, 'spec.json'), JSON.stringify(spec));
  return ['run', join(folder, 'spec.json'), '--out', folder, '--run-id', 'x'];
}

interface Strike {
  readonly mpi: Mpi;
  readonly signal: NodeJS.Signals;
  readonly launcherArgs?: readonly string[];
}

/** Strikes the victim in the middle of point 1; resolves to every rank's rows once the launcher has ended. */
async function strike(t: Test, { mpi, signal, launcherArgs = [] }: Strike): Promise<CsvRow[][]> {
  const folder = t.testdir();
  const command = [process.execPath, railrunner, ...writeSpec(folder)];
  const options = { mpi, ranks: RANKS, launcherArgs, timeoutMs: 2 * END_LIMIT_MS };
  const running = startMpirun(options, command);
  const victim = await whenMeasuring(running, join(folder, 'x'), VICTIM, 1);
  const struckAt = performance.now();
  process.kill(victim, signal);
  const { status, stdout, stderr } = await running.finished;
  t.ok(performance.now() - struckAt < END_LIMIT_MS, 'the rest ended long before the deadline of the stage');
  // A launcher that was told to go on without a rank says 0: the manifest is what counts.
  if (launcherArgs.length === 0) t.not(status, 0, `${stdout}${stderr}`);
  t.not(readManifest(join(folder, 'x'))?.outcome, 'ok', 'the manifest never says ok');
  const rows = readRankRows(join(folder, 'x'));
  t.equal(rows.length, RANKS);
  for (const [rank, own] of rows.entries()) {
    const finished = own.filter((row) => row['job_id'] === 'short');
    t.equal(finished.length, 2, `rank ${rank}: the rows of the finished point are there`);
    for (const row of finished) t.match(row, { status: 'ok', wrong: '0', started_at: /^20/ }, 'and whole');
  }
  return rows;
}

function namesVictim(t: Test, rows: readonly CsvRow[][]): void {
  for (const [rank, own] of rows.slice(0, VICTIM).entries()) {
    const rest = own.filter((row) => row['job_id'] !== 'short');
    t.ok(rest.some((row) => row['job_id'] === 'long') && rest.some((row) => row['job_id'] === 'never'));
    for (const row of rest) {
      t.match(
        row,
        {
          status: 'aborted',
          error_code: 'E_WORLD_LOST',
          error: /rank 3 ended or stopped answering/,
          hung_rank: String(VICTIM),
        },
        `rank ${rank} names the victim`,
      );
    }
  }
  const ofRoot = rows[0]?.find((row) => row['job_id'] === 'long');
  t.equal(ofRoot?.['hung_stage'], 'measure', 'rank 0 knows from the heartbeats where it was');
}

for (const mpi of MPIS) {
  t.test(`a rank killed inside an exchange under ${mpi}`, { skip: needsMpi(mpi) }, async (t) => {
    await strike(t, { mpi, signal: 'SIGKILL' });
  });
  t.test(`a rank frozen inside an exchange under ${mpi}`, { skip: needsMpi(mpi) }, async (t) => {
    namesVictim(t, await strike(t, { mpi, signal: 'SIGSTOP' }));
  });
}

t.test(
  'a rank killed inside an exchange where the launcher lets the others live',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const launcherArgs = ['--enable-recovery'];
    namesVictim(t, await strike(t, { mpi: 'openmpi', signal: 'SIGKILL', launcherArgs }));
  },
);
