/** The benchmarks that are native programs, by the name of their CSV. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NativeBench } from './native-program.js';

export function nativeBenches(quick: boolean): ReadonlyMap<string, NativeBench> {
  return new Map([
    ['host-disk-fio', diskFio(quick ? 5 : 15)],
    ['host-moe-alltoallv', alltoallv('moe_alltoallv_bench', quick ? 50 : 300)],
    ['host-moe-zero-copy', alltoallv('moe_alltoallv_bench', quick ? 50 : 300, ['--zero-copy'])],
    ['host-moe-high-alltoallv', alltoallv('moe_high_alltoallv_bench', quick ? 3 : 9)],
    ['network-batches', networkBatches(quick ? 3 : 15)],
  ]);
}

/** Dispatch and combine of one algorithm against the same exchange by MPI_Ialltoallv, interleaved, on 4 ranks. */
function alltoallv(program: string, iterations: number, options: readonly string[] = []): NativeBench {
  const asRoot = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];
  const launch = [...asRoot, '--oversubscribe', '--bind-to', 'none', '-n', '4'];
  return {
    program,
    command: (folder) => [
      'mpirun.openmpi',
      ...launch,
      join(folder, program),
      join(folder, 'railrunner_mpi_openmpi.so'),
      ...options,
      String(iterations),
    ],
  };
}

/** The disk queue against fio on the same file, interleaved. */
function diskFio(rounds: number): NativeBench {
  return {
    program: 'disk_fio_bench',
    command: (folder) => [join(folder, 'disk_fio_bench'), tmpdir(), String(rounds)],
  };
}

/** Sizes of network batches and numbers of proxies, interleaved, on 4 processes. */
function networkBatches(rounds: number): NativeBench {
  return {
    program: 'network_bench',
    command: (folder) => [join(folder, 'network_bench'), String(rounds)],
  };
}
