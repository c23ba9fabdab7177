/** Runs of a small replay on real ranks. */
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import type { Mpi } from './mpirun.js';
import type { CsvRow } from './results.js';
import { runSpec, type Ran } from './run-spec.js';

export const SMALL_TRACE = join(projectRoot, 'configs', 'traces', 'conversation-small.jsonl');
export const TIER_BLOCKS = [150, 300, 600] as const;

const SMALL_REPLAY = {
  kind: 'replay',
  trace: { path: SMALL_TRACE, requests: 150 },
  // 16 bytes for each token: 8 KiB for each block of the trace.
  layout: { kind: 'fullyContiguous', numLayers: 2, outerDim: 2, innerDim: 2 },
  pools: { deviceBlocks: TIER_BLOCKS[0], hostBlocks: TIER_BLOCKS[1], diskBlocks: TIER_BLOCKS[2] },
  windows: 5,
} as const;

export interface ReplayRun {
  /** 1: without a launcher, unless `mpi` names one. */
  readonly ranks?: number;
  readonly mpi?: Mpi;
  /** What each job has otherwise than SMALL_REPLAY; one point each, unless it sweeps. */
  readonly jobs?: readonly Readonly<Record<string, unknown>>[];
  readonly fault?: string;
  /** Default host. */
  readonly device?: 'host' | 'cuda';
}

export async function runReplay(
  folder: string,
  { ranks = 2, mpi, jobs = [{}], fault, device = 'host' }: ReplayRun = {},
): Promise<Ran> {
  const whole = jobs.map((job, at) => ({ ...SMALL_REPLAY, id: `replay-${at}`, ...job }));
  const spec = { name: 'replay', device, defaults: { timeoutSeconds: 120 }, jobs: whole };
  return await runSpec(folder, { ranks, mpi, fault }, spec);
}

/** The same with the rows of one point alone. */
export function pointOf(run: Ran, point: number): Ran {
  return { ...run, rows: run.rows.map((rows) => rows.filter((row) => row['point'] === String(point))) };
}

/** The row of that phase on a rank; of several points, the first's. */
export function rowOf({ rows, said }: Ran, rank: number, phase: string, direction = ''): CsvRow {
  const row = rows[rank]?.find((each) => each['phase'] === phase && each['direction'] === direction);
  if (row === undefined) throw new Error(`no row of ${phase} ${direction} on rank ${rank}: ${said}`);
  return row;
}
