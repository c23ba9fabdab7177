/** The benchmarks that are native programs, by the name of their CSV. */
import { join } from 'node:path';
import type { NativeBench } from './native-program.js';

export function nativeBenches(quick: boolean): ReadonlyMap<string, NativeBench> {
  return new Map([
    ['host-moe-alltoallv', alltoallv(quick ? 50 : 300)],
    ['network-batches', networkBatches(quick ? 3 : 15)],
  ]);
}

/** Dispatch and combine against the same exchange by MPI_Ialltoallv, by turns, on 4 ranks. */
function alltoallv(iterations: number): NativeBench {
  const asRoot = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];
  const launch = [...asRoot, '--oversubscribe', '--bind-to', 'none', '-n', '4'];
  return {
    program: 'moe_alltoallv_bench',
    command: (folder) => [
      'mpirun.openmpi',
      ...launch,
      join(folder, 'moe_alltoallv_bench'),
      join(folder, 'railrunner_mpi_openmpi.so'),
      String(iterations),
    ],
  };
}

/** Sizes of network batches and numbers of proxies, by turns, on 4 processes. */
function networkBatches(rounds: number): NativeBench {
  return {
    program: 'network_bench',
    command: (folder) => [join(folder, 'network_bench'), String(rounds)],
  };
}
