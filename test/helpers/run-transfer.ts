/** Runs of transfer on real ranks, of the host device where no other is named. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { mpirunCli, type Mpi } from './mpirun.js';
import { readRankRows, type CsvRow } from './results.js';

/** Two layers of eight heads, and one of latents: 2560 bytes for each token. */
export const SMALL_TRANSFER = {
  id: 'move',
  kind: 'transfer',
  layout: {
    groups: [
      { name: 'full', layers: '0-1', kvHeads: 8, headDimK: 16, headDimV: 16 },
      { name: 'latent', layers: '2', kind: 'latent', headDimK: 256 },
    ],
    pageSize: 16,
  },
  blocks: 3,
} as const;

export interface TransferRun {
  readonly ranks: number;
  readonly mpi?: Mpi;
  readonly job: Readonly<Record<string, unknown>>;
  readonly ranksPerNode?: number;
  readonly fault?: string;
  readonly timeoutSeconds?: number;
}

export interface Ran {
  readonly status: number | null;
  readonly rows: CsvRow[][];
  readonly said: string;
  readonly folder: string;
}

/** One run of the small job, changed as asked for. */
export async function runTransfer(
  folder: string,
  { ranks, mpi = 'openmpi', job, ...run }: TransferRun,
): Promise<Ran> {
  const spec = join(folder, 'spec.json');
  const defaults = { warmup: 1, iterations: 3, timeoutSeconds: run.timeoutSeconds ?? 60 };
  const text = {
    device: 'host',
    ranksPerNode: run.ranksPerNode ?? 0,
    defaults,
    jobs: [{ ...SMALL_TRANSFER, iterations: 3, ...job }],
  };
  writeFileSync(spec, JSON.stringify(text));
  const env = run.fault === undefined ? {} : { RAILRUNNER_FAULT: run.fault };
  const args = ['run', spec, '--out', folder, '--run-id', 'x'];
  const ended = await mpirunCli({ mpi, ranks, env, timeoutMs: 300_000 }, args);
  const results = join(folder, 'x');
  const said = ended.stderr + ended.stdout;
  if (!existsSync(results)) throw new Error(said);
  return { status: ended.status, rows: readRankRows(results), said, folder: results };
}

/** Every row that is not idle was verified and found right, and there are some. */
export function allVerified(t: Test, { status, rows, said }: Ran, what: string): void {
  t.equal(status, 0, `${what}: ${said}`);
  const active = rows.flat().filter((row) => row['status'] !== 'idle');
  t.ok(active.length > 0, what);
  for (const row of active) {
    if (row['status'] === 'ok' && row['wrong'] === '0') continue;
    t.fail(`${what}: ${JSON.stringify(row)}`);
  }
  t.ok(
    active.some((row) => Number(row['checked']) > 0),
    `${what}: words were compared`,
  );
}
