/** Strikes a rank in the middle of an exchange and looks at what the others say of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { startMpirun, type Mpi } from './mpirun.js';
import { whenMeasuring } from './rank-process.js';
import { readManifest, readRankRows, type CsvRow } from './results.js';
import { railrunner } from './run-cli.js';

/** Far above what anything here takes: who waits for it fails the test. */
const DEADLINE_SECONDS = 600;
/** Heartbeats are missed after 5 s; the rest is for a loaded machine. */
const END_LIMIT_MS = 120_000;

export interface Strike {
  readonly mpi: Mpi;
  readonly signal: NodeJS.Signals;
  readonly device: 'host' | 'cuda';
  /** The last one is struck. */
  readonly ranks: number;
  readonly ranksPerNode: number;
  readonly launcherArgs?: readonly string[];
}

/** Point 0 takes milliseconds, the measuring of point 1 has no end, point 2 never begins. */
function writeSpec(folder: string, { device, ranksPerNode }: Strike): string[] {
  const job = {
    kind: 'dispatchCombine',
    hidden: 256,
    numTopk: 4,
    numExperts: 16,
    numTokens: 8,
    maxDispatchTokensPerRank: 8,
  };
  const long = { hidden: 2048, numTokens: 64, maxDispatchTokensPerRank: 64, iterations: 1_000_000 };
  const spec = {
    device,
    ranksPerNode,
    defaults: { warmup: 1, iterations: 4, timeoutSeconds: DEADLINE_SECONDS },
    jobs: [
      { id: 'short', ...job },
      { id: 'long', ...job, ...long },
      { id: 'never', ...job },
    ],
  };
  writeFileSync(join(folder, 'spec.json'), JSON.stringify(spec));
  return ['run', join(folder, 'spec.json'), '--out', folder, '--run-id', 'x'];
}

/** Strikes the last rank in the middle of point 1; resolves to every rank's rows once the launcher has ended. */
export async function strikeLast(t: Test, strike: Strike): Promise<CsvRow[][]> {
  const { mpi, ranks, launcherArgs = [] } = strike;
  const folder = t.testdir();
  const command = [process.execPath, railrunner, ...writeSpec(folder, strike)];
  const running = startMpirun({ mpi, ranks, launcherArgs, timeoutMs: 2 * END_LIMIT_MS }, command);
  const victim = await whenMeasuring(running, join(folder, 'x'), ranks - 1, 1);
  const struckAt = performance.now();
  process.kill(victim, strike.signal);
  const { status, stdout, stderr } = await running.finished;
  t.ok(performance.now() - struckAt < END_LIMIT_MS, 'the rest ended long before the deadline of the stage');
  // A launcher that was told to go on without a rank says 0: the manifest is what counts.
  if (launcherArgs.length === 0) t.not(status, 0, `${stdout}${stderr}`);
  t.not(readManifest(join(folder, 'x'))?.outcome, 'ok', 'the manifest never says ok');
  const rows = readRankRows(join(folder, 'x'));
  t.equal(rows.length, ranks);
  for (const [rank, own] of rows.entries()) {
    const finished = own.filter((row) => row['job_id'] === 'short');
    t.ok(finished.length >= 2, `rank ${rank}: the rows of the finished point are there`);
    for (const row of finished) t.match(row, { status: 'ok', wrong: '0', started_at: /^20/ }, 'and whole');
  }
  return rows;
}

/** Every other rank's rows of what was cut short say that the last one ended it. */
export function namesLast(t: Test, rows: readonly CsvRow[][]): void {
  const victim = rows.length - 1;
  for (const [rank, own] of rows.slice(0, victim).entries()) {
    const rest = own.filter((row) => row['job_id'] !== 'short');
    t.ok(rest.some((row) => row['job_id'] === 'long') && rest.some((row) => row['job_id'] === 'never'));
    const said = {
      status: 'aborted',
      error_code: 'E_PEER_DEAD',
      error: new RegExp(`rank ${victim} ended or stopped answering`),
      hung_rank: String(victim),
    };
    for (const row of rest) t.match(row, said, `rank ${rank} names the victim`);
  }
  const ofRoot = rows[0]?.find((row) => row['job_id'] === 'long');
  t.equal(ofRoot?.['hung_stage'], 'measure', 'rank 0 knows from the heartbeats where it was');
}
