/** Which environment variables a manifest may hold. The whole environment would leak secrets into published results. */

export const RECORDED_PREFIXES = [
  'NCCL_',
  'UCX_',
  'CUDA_',
  'OMPI_',
  'MPIR_CVAR_',
  'PRTE_MCA_',
  'PMIX_MCA_',
  'RAILRUNNER_',
  'DYN_KVBM_',
  'MSCCLPP_EP_',
];

export const RECORDED_NAMES = new Set([
  'PMI_RANK',
  'PMI_SIZE',
  'PMIX_RANK',
  'SLURM_JOB_ID',
  'SLURM_STEP_ID',
  'SLURM_JOB_NUM_NODES',
  'SLURM_JOB_NODELIST',
  'SLURM_NTASKS',
  'SLURM_STEP_NUM_TASKS',
  'SLURM_PROCID',
  'SLURM_LOCALID',
  'SLURM_NODEID',
  'SLURM_MPI_TYPE',
]);

const LOOKS_SECRET = /TOKEN|SECRET|PASSW|JWT|CREDENTIAL|COOKIE|(^|_)KEY|AUTH/i;

/** The variables of the allow-list, by name; the caller hands in the environment. */
export function allowedEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of Object.keys(variables).sort()) {
    const value = variables[name];
    const listed = RECORDED_NAMES.has(name) || RECORDED_PREFIXES.some((prefix) => name.startsWith(prefix));
    if (value !== undefined && listed && !LOOKS_SECRET.test(name)) kept[name] = value;
  }
  return kept;
}
