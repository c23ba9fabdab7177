/** Runs of dispatchCombine on real ranks, of the host device where no other is named. */
import type { Test } from 'tap';
import type { Mpi } from './mpirun.js';
import type { CsvRow } from './results.js';
import { runSpec, type Ran } from './run-spec.js';

const SMALL = {
  id: 'moe',
  kind: 'dispatchCombine',
  hidden: 300,
  numTopk: 4,
  numExperts: 16,
  numTokens: 12,
  maxDispatchTokensPerRank: 16,
  routing: { kind: 'uniform', maskedFraction: 0.1 },
} as const;

type Job = Readonly<Record<string, unknown>>;

interface Run {
  readonly ranks: number;
  readonly mpi?: Mpi;
  /** One, or several that run one after the other. */
  readonly job: Job | readonly Job[];
  readonly device?: 'host' | 'cuda';
  readonly ranksPerNode?: number;
  readonly fault?: string;
  readonly timeoutSeconds?: number;
}

/** One run of the small job, changed as asked for. Of several each has its number behind its id: moe0, moe1. */
export async function exchange(folder: string, { ranks, mpi, job, fault, ...run }: Run): Promise<Ran> {
  const defaults = { warmup: 1, iterations: 4, timeoutSeconds: run.timeoutSeconds ?? 60 };
  const jobs = Array.isArray(job)
    ? job.map((one: Job, index) => ({ ...SMALL, id: `moe${index}`, iterations: 4, ...one }))
    : [{ ...SMALL, iterations: 4, ...job }];
  const spec = { device: run.device ?? 'host', ranksPerNode: run.ranksPerNode ?? 0, defaults, jobs };
  const ran = await runSpec(
    folder,
    { ranks, mpi, fault, allLive: fault?.includes('silence') === true },
    spec,
  );
  if (ran.rows.length === 0) throw new Error(ran.said);
  return ran;
}

/** Of one column over rows. */
export const sum = (rows: readonly (CsvRow | undefined)[], column: string): number =>
  rows.reduce((total, row) => total + Number(row?.[column] ?? 0), 0);

/** Point 0 timed out on every rank, all but the silent one say whom they awaited, and point 1 ran. */
export function namesSilent(t: Test, rows: readonly CsvRow[][], silent: number): void {
  const said = { error: new RegExp(`waiting for rank ${silent}`) };
  for (const [rank, own] of rows.entries()) {
    const first = own.filter((row) => row['point'] === '0');
    t.match(first, [{ status: 'timeout', hung_stage: 'measure' }], `rank ${rank}`);
    if (rank !== silent) t.match(first, [said], `rank ${rank} says whom it awaited`);
    const second = own.filter((row) => row['point'] === '1');
    t.ok(second.length >= 2, `rank ${rank} ran the next point: ${second[0]?.['error']}`);
    for (const row of second) t.match(row, { status: 'ok', wrong: '0' });
  }
}
