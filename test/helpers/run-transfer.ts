/** Runs of transfer on real ranks, of the host device where no other is named. */
import type { Test } from 'tap';
import type { Mpi } from './mpirun.js';
import { runSpec, type Ran } from './run-spec.js';

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

/** One run of the small job, changed as asked for. */
export async function runTransfer(
  folder: string,
  { ranks, mpi, job, fault, ...run }: TransferRun,
): Promise<Ran> {
  const ran = await runSpec(
    folder,
    { ranks, mpi, fault },
    {
      device: 'host',
      ranksPerNode: run.ranksPerNode ?? 0,
      defaults: { warmup: 1, iterations: 3, timeoutSeconds: run.timeoutSeconds ?? 60 },
      jobs: [{ ...SMALL_TRANSFER, iterations: 3, ...job }],
    },
  );
  if (ran.rows.length === 0) throw new Error(ran.said);
  return ran;
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
