/** Runs of a small spec on GPUs, one rank or two, as tests of faults start them. */
import { join } from 'node:path';
import { mpirun } from '../helpers/mpirun.js';
import { readRankRows, type CsvRow } from '../helpers/results.js';
import { railrunner, type Finished, runArgs } from '../helpers/run-cli.js';
import { writeSmallSpec, type SmallSpecOptions } from '../helpers/small-spec.js';
import { codeOf } from '../../runner/errors.js';

export interface GpuRun {
  readonly folder: string;
  readonly ranks?: number;
  readonly spec?: SmallSpecOptions;
  readonly env?: Readonly<Record<string, string>>;
  /** Shell commands that each rank runs first; they may look at OMPI_COMM_WORLD_RANK. */
  readonly before?: string;
}

export interface GpuRunEnd extends Finished {
  /** Rows of each rank; empty where the run was refused before there were any. */
  readonly rows: readonly (readonly CsvRow[])[];
  readonly runFolder: string;
}

export async function runOnGpus(request: GpuRun): Promise<GpuRunEnd> {
  const { folder, ranks = 2, env = {}, before = ':' } = request;
  const spec = writeSmallSpec(folder, { device: 'cuda', ...request.spec });
  const rank = [process.execPath, railrunner, ...runArgs(spec, folder)];
  const command = ['sh', '-c', `${before}; exec "$@"`, 'sh', ...rank];
  const ended = await mpirun({ mpi: 'openmpi', ranks, env, timeoutMs: 60_000 }, command);
  const runFolder = join(folder, 'x');
  let rows: CsvRow[][] = [];
  try {
    rows = readRankRows(runFolder);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  return { ...ended, rows, runFolder };
}
