/** A run of a spec on real ranks, and the rows that it left. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mpirunCli, type Mpi } from './mpirun.js';
import { readRankRows, type CsvRow } from './results.js';
import { runArgs, runCli } from './run-cli.js';

export interface SpecRun {
  /** 1: without a launcher, unless `mpi` names one. */
  readonly ranks: number;
  /** Default openmpi. */
  readonly mpi?: Mpi | undefined;
  /** RAILRUNNER_FAULT */
  readonly fault?: string | undefined;
  /** No rank dies: ranks that a loaded machine starves are not taken for dead. */
  readonly allLive?: boolean;
}

/** Seconds of silence that a machine under any load stays below. */
const PATIENT_SECONDS = '60';

export interface Ran {
  readonly status: number | null;
  /** By rank; empty where there was no run. */
  readonly rows: CsvRow[][];
  readonly said: string;
  readonly folder: string;
}

export async function runSpec(
  folder: string,
  { ranks, mpi, fault, allLive = false }: SpecRun,
  spec: object,
): Promise<Ran> {
  const path = join(folder, 'spec.json');
  writeFileSync(path, JSON.stringify(spec));
  const env = {
    ...(fault === undefined ? {} : { RAILRUNNER_FAULT: fault }),
    ...(allLive ? { RAILRUNNER_PEER_TIMEOUT_SECONDS: PATIENT_SECONDS } : {}),
  };
  const options = { env, timeoutMs: 300_000 };
  const args = runArgs(path, folder);
  const ended =
    ranks === 1 && mpi === undefined
      ? await runCli(args, options)
      : await mpirunCli({ mpi: mpi ?? 'openmpi', ranks, ...options }, args);
  const results = join(folder, 'x');
  const rows = existsSync(results) ? readRankRows(results) : [];
  return { status: ended.status, rows, said: ended.stderr + ended.stdout, folder: results };
}
