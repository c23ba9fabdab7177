/** What a run is compared with: an MPI program that starts, meets its ranks once, and ends. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const HELLO = `#include <mpi.h>
int main(int c, char** v) { MPI_Init(&c, &v); MPI_Barrier(MPI_COMM_WORLD); MPI_Finalize(); return 0; }
`;

/** Path of the program, which `mpicc` makes in the folder. */
export function compileHello(mpicc: string, folder: string): string {
  const [source, program] = [join(folder, 'hello.c'), join(folder, 'hello')];
  writeFileSync(source, HELLO);
  requireZero(spawnSync(mpicc, ['-O2', '-o', program, source]).status, mpicc);
  return program;
}

/** Milliseconds from start to end. Throws where it does not end with 0. */
export function timed(
  command: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): number {
  const started = performance.now();
  const { status } = spawnSync(command, args, { stdio: 'ignore', env: { ...process.env, ...variables } });
  requireZero(status, `${command} ${args.join(' ')}`);
  return performance.now() - started;
}

export function requireZero(status: number | null, what: string): void {
  if (status !== 0) throw new Error(`${what} ended with ${status}`);
}
