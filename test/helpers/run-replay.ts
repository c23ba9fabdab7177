/** Runs of a small replay on real ranks of the host device. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import { mpirunCli, type Mpi } from './mpirun.js';
import { readRankRows, type CsvRow } from './results.js';
import { runCli } from './run-cli.js';

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
  /** 1: without a launcher. */
  readonly ranks?: number;
  readonly mpi?: Mpi;
  /** What each job has otherwise than SMALL_REPLAY; one point each, unless it sweeps. */
  readonly jobs?: readonly Readonly<Record<string, unknown>>[];
  readonly fault?: string;
}

export interface Replayed {
  readonly status: number | null;
  readonly said: string;
  /** By rank. */
  readonly rows: CsvRow[][];
}

export async function runReplay(
  folder: string,
  { ranks = 2, mpi = 'openmpi', jobs = [{}], fault }: ReplayRun = {},
): Promise<Replayed> {
  const spec = join(folder, 'spec.json');
  const defaults = { timeoutSeconds: 120 };
  const whole = jobs.map((job, at) => ({ ...SMALL_REPLAY, id: `replay-${at}`, ...job }));
  writeFileSync(spec, JSON.stringify({ name: 'replay', device: 'host', defaults, jobs: whole }));
  const args = ['run', spec, '--out', folder, '--run-id', 'x'];
  const env = fault === undefined ? {} : { RAILRUNNER_FAULT: fault };
  const ended =
    ranks === 1
      ? await runCli(args, { env, timeoutMs: 300_000 })
      : await mpirunCli({ mpi, ranks, env, timeoutMs: 300_000 }, args);
  const results = join(folder, 'x');
  const said = ended.stderr + ended.stdout;
  return { status: ended.status, said, rows: existsSync(results) ? readRankRows(results) : [] };
}

/** The same with the rows of one point alone. */
export function pointOf(run: Replayed, point: number): Replayed {
  return { ...run, rows: run.rows.map((rows) => rows.filter((row) => row['point'] === String(point))) };
}

/** The row of that phase on a rank; of several points, the first's. */
export function rowOf({ rows, said }: Replayed, rank: number, phase: string, direction = ''): CsvRow {
  const row = rows[rank]?.find((each) => each['phase'] === phase && each['direction'] === direction);
  if (row === undefined) throw new Error(`no row of ${phase} ${direction} on rank ${rank}: ${said}`);
  return row;
}
