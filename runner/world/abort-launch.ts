/** Ends all ranks without MPI, for a rank that cannot open it while others already wait for it in MPI_Init. */
import { writeSync } from 'node:fs';
import { readEnvironment } from '../environment/variables.js';

/**
 * Open MPI 4.1.4 and srun --kill-on-bad-exit end the others when one leaves with a status. Hydra of MPICH 4.0.2 does so
 * only for a rank that has called PMI's init; for any other it waits until the last has left, unless it is told in
 * the words of PMI version 1 that the job is over.
 */
export function abortLaunch(status: number): void {
  const { variables } = readEnvironment();
  const descriptor = Number(variables['PMI_FD']);
  if (variables['HYDI_CONTROL_FD'] === undefined || !Number.isInteger(descriptor)) return;
  try {
    writeSync(descriptor, `cmd=abort exitcode=${status}\n`);
  } catch {
    // The launcher is gone already.
  }
}
