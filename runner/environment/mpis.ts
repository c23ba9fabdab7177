/** All that differs between the MPIs and is said, looked for or typed by railrunner: one entry for each. */
import { namesOf } from '../values/objects.js';

export type MpiName = 'openmpi' | 'mpich';

export interface MpiEntry {
  /** For messages. */
  readonly title: string;
  /** Debian packages that bring it with its headers. */
  readonly packages: string;
  /** Names of its mpirun that no other MPI has. */
  readonly mpirun: string;
  /** In the text of `mpirun --version`. */
  readonly version: RegExp;
  /** How srun starts ranks that speak it. */
  readonly srun: string;
  /** Words of its mpirun that keep `numRanks` ranks on this machine, whatever schedulers around it say. */
  launchWords(numRanks: number, isRoot: boolean): readonly string[];
  /** Variables for that mpirun; what the user has set stays. */
  launchVariables(numRanks: number, numCores: number): Readonly<Record<string, string>>;
}

export const MPIS: Readonly<Record<MpiName, MpiEntry>> = {
  openmpi: {
    title: 'Open MPI',
    packages: 'openmpi-bin libopenmpi-dev',
    mpirun: 'mpirun.openmpi',
    version: /Open MPI|OpenRTE/,
    srun: 'srun --mpi=pmix',
    launchWords: (numRanks, isRoot) => [
      '-n',
      String(numRanks),
      // As many slots as ranks: 4.1.4 counts cores otherwise, and refuses a rank on a second hardware thread.
      '--host',
      `localhost:${numRanks}`,
      ...(isRoot ? ['--allow-run-as-root'] : []),
      // The default binding gives each rank one core, which starves copy and progress threads.
      '--bind-to',
      'none',
    ],
    launchVariables: (numRanks, numCores) => ({
      // No remote shell is looked for, which a machine may lack, and no scheduler is asked for hosts.
      OMPI_MCA_plm: 'isolated',
      OMPI_MCA_ras: '^slurm,tm,gridengine,loadleveler,lsf,alps',
      // Slots given by hand hide from it that ranks share cores.
      ...(numRanks > numCores ? { OMPI_MCA_mpi_yield_when_idle: '1' } : {}),
    }),
  },
  mpich: {
    title: 'MPICH',
    packages: 'mpich libmpich-dev',
    mpirun: 'mpirun.mpich',
    version: /HYDRA|MPICH/i,
    srun: 'srun --mpi=pmi2',
    launchWords: (numRanks) => [
      '-launcher',
      'fork',
      '-rmk',
      'user',
      '-hosts',
      'localhost',
      '-n',
      String(numRanks),
    ],
    launchVariables: () => ({}),
  },
};

export const MPI_NAMES = namesOf(MPIS);
