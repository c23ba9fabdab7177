/** Which variables belong to which launcher, so that an MPI hears only of its own launcher. */
import type { Launcher } from './launcher.js';
import type { Variables } from './variables.js';

/**
 * What mpirun of Open MPI 4 and 5 sets for its ranks. Settings of the user (OMPI_MCA_btl, ...) are not among them.
 * OMPI_MCA_ess and _pmix of an outer mpirun make MPI_Init of an inner process abort.
 */
const OPEN_MPI =
  /^OMPI_(COMM_WORLD_|APP_CTX|ARGV$|COMMAND$|FILE_LOCATION$|FIRST_RANKS$|NUM_APP_CTX$|UNIVERSE_SIZE$|MCA_(ess$|ess_base_|initial_wdir$|mpi_oversubscribe$|orte_|pmix$|rmaps_base_oversubscribe$|shmem_RUNTIME_QUERY_hint$))|^PRTE_(MCA_(ess|prte_)|LAUNCHED)/;
const PMIX = /^PMIX_(?!MCA_(?!mca_base_component_show))/;
const PMI = /^(PMI_|PMI2_|HYDI_|HYDRA_|HYDRAI_|MPI_LOCAL|MPIR_CVAR_CH3_INTERFACE_HOSTNAME$)/;
const SLURM = /^(SLURM_|SLURMD_|SRUN_|SBATCH_|SALLOC_)/;
/** Where Slurm itself is configured, and a job array's numbers, which `--shard slurm` reads: no word about ranks. */
const SLURM_CONFIGURATION = /^SLURM_CONF$|^SLURM_ARRAY_/;
const FLUX = /^FLUX_/;
/** Hosts and jobs of other schedulers, which an mpirun asks for slots. */
const SCHEDULERS = /^(PBS_|LSB_|LS_SUBCWD$|PE_HOSTFILE$|COBALT_|OAR_)/;

function matching(variables: Variables, patterns: readonly RegExp[]): string[] {
  return Object.keys(variables).filter(
    (name) => patterns.some((pattern) => pattern.test(name)) && !SLURM_CONFIGURATION.test(name),
  );
}

/** Left by launchers that did not start this process: MPI must not see them. */
export function foreignVariables(variables: Variables, launcher: Launcher): string[] {
  if (launcher.speaks === 'openmpi') {
    const isMpirun = launcher.name === 'mpirun of Open MPI';
    return matching(variables, isMpirun ? [PMI] : [PMI, OPEN_MPI]);
  }
  if (launcher.speaks === 'mpich') return matching(variables, [PMIX, OPEN_MPI]);
  // Open MPI 4.1.4 takes SLURM_* or FLUX_JOB_ID for a launcher that it must ask, and aborts in MPI_Init.
  return matching(variables, [PMIX, OPEN_MPI, PMI, SLURM, FLUX]);
}

/** The environment for an mpirun that `launch` starts: no word of any launcher or scheduler around it. */
export function withoutLaunchers(variables: Variables): Record<string, string> {
  const gone = new Set(matching(variables, [PMIX, OPEN_MPI, PMI, SLURM, FLUX, SCHEDULERS]));
  const left: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables))
    if (value !== undefined && !gone.has(name)) left[name] = value;
  return left;
}
