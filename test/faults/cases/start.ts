/** What goes wrong before there is a world: launchers that contradict themselves, builds that are not whole. */
import type { Ending, FaultCase } from '../fault.js';

const refused = (named: string, says: RegExp, status: readonly number[] = [3]): Ending => ({
  outcome: 'none',
  status,
  named,
  says,
  rows: 'none',
});
const WELL: Ending = { outcome: 'ok', status: [0], named: 'nobody', rows: 'all' };
const WITHOUT_FILE = (name: string): string =>
  `if [ "$RANK" = 1 ]; then mkdir -p "$SCRATCH/kept" && cp -r "$ROOT/bin" "$ROOT/dist" "$ROOT/package.json" ` +
  `"$SCRATCH/kept" && ln -s "$ROOT/node_modules" "$SCRATCH/kept/" && mkdir -p "$SCRATCH/kept/build/Release" && ` +
  `cp "$ROOT"/build/Release/railrunner* "$SCRATCH/kept/build/Release/" && rm "$SCRATCH/kept/build/Release/"${name}; ` +
  `node=$1; shift 2; exec "$node" "$SCRATCH/kept/bin/railrunner" "$@"; fi; exec "$@"`;

const leftover = (
  id: string,
  env: Readonly<Record<string, string>>,
  named: string,
  says: RegExp,
): FaultCase => ({
  id: `leftover-${id}`,
  fault: `a single process has inherited ${Object.keys(env).join(', ')} of another job`,
  startedBy: 'alone',
  workload: 'short',
  env,
  ending: refused(named, says),
});

export const START_FAULTS: readonly FaultCase[] = [
  leftover('pmi', { PMI_RANK: '1', PMI_SIZE: '4' }, 'PMI_RANK', /rank 1 on .*PMI_RANK=1, PMI_SIZE=4 .*unset/),
  leftover(
    'pmix',
    { PMIX_RANK: '0' },
    'PMIX_RANK',
    /PMIX_RANK=0 .*PMIX_NAMESPACE is not set.*unset PMIX_RANK/,
  ),
  leftover(
    'openmpi',
    { OMPI_COMM_WORLD_SIZE: '8', OMPI_COMM_WORLD_RANK: '5' },
    'OMPI_COMM_WORLD_RANK',
    /rank 5 on .*OMPI_COMM_WORLD_SIZE=8.*unset OMPI_COMM_WORLD_SIZE/,
  ),
  leftover(
    'slurm-step',
    { SLURM_JOB_ID: '9', SLURM_STEP_ID: '0', SLURM_STEP_NUM_TASKS: '4', SLURM_PROCID: '2' },
    'SLURM_PROCID',
    /SLURM_STEP_NUM_TASKS=4.*unset SLURM_STEP_ID/,
  ),
  leftover(
    'flux-task',
    { FLUX_JOB_ID: '7', FLUX_JOB_SIZE: '2', FLUX_TASK_RANK: '0' },
    'FLUX_JOB_SIZE',
    /FLUX_JOB_SIZE=2/,
  ),
  {
    id: 'leftover-allocation',
    fault: 'a single process runs in the shell of a Slurm and Flux allocation',
    startedBy: 'alone',
    workload: 'short',
    env: { SLURM_JOB_ID: '9', SLURM_NTASKS: '4', FLUX_JOB_ID: '7' },
    ending: WELL,
  },
  {
    id: 'leftover-under-mpirun',
    fault: 'mpirun is called in a shell that has inherited PMIX_RANK and PMI_RANK of other jobs',
    startedBy: 'mpirun',
    workload: 'short',
    env: { PMIX_RANK: '3', PMI_RANK: '1', PMI_SIZE: '7' },
    ending: WELL,
    always: true,
  },
  {
    id: 'leftover-under-launch',
    fault: 'launch is called in a shell that has inherited variables of three launchers',
    startedBy: 'launch',
    workload: 'short',
    env: {
      PMIX_RANK: '0',
      PMI_RANK: '1',
      PMI_SIZE: '7',
      SLURM_JOB_ID: '9',
      SLURM_NTASKS: '1',
      OMPI_COMM_WORLD_SIZE: '4',
    },
    ending: WELL,
    always: true,
  },
  {
    id: 'cleared-environment',
    fault: 'a wrapper between launcher and ranks clears the environment',
    startedBy: 'mpirun',
    workload: 'short',
    onRank: 'exec env -i PATH="$PATH" "$@"',
    ending: refused('PMI_RANK or OMPI_COMM_WORLD_SIZE', /started this process, but none of its variables/),
    always: true,
  },
  {
    id: 'nested-mpirun',
    fault: 'mpirun of MPICH starts mpirun of Open MPI, which starts the ranks',
    startedBy: 'mpirun',
    mpis: ['openmpi'],
    workload: 'short',
    wrap: ['mpirun.mpich', '-n', '1'],
    ending: WELL,
  },
  {
    id: 'nested-mpirun-mpich',
    fault: 'mpirun of Open MPI starts mpirun of MPICH, which starts the ranks',
    startedBy: 'mpirun',
    mpis: ['mpich'],
    workload: 'short',
    wrap: ['mpirun.openmpi', '--allow-run-as-root', '-n', '1'],
    ending: WELL,
  },
  {
    id: 'no-plugin-on-one-rank',
    fault: 'the MPI plug-in is missing on rank 1',
    startedBy: 'mpirun',
    workload: 'short',
    onRank: WITHOUT_FILE('railrunner_mpi_*'),
    ending: refused('rank 1', /rank 1 on .*no MPI plug-in.*npm run build/),
    always: true,
  },
  {
    id: 'no-addon-on-one-rank',
    fault: 'the native addon is missing on rank 1',
    startedBy: 'mpirun',
    workload: 'short',
    onRank: WITHOUT_FILE('railrunner.node'),
    ending: refused('rank 1', /rank 1 on .*npm run build/),
  },
  {
    id: 'broken-addon-on-one-rank',
    fault: 'the native addon of rank 1 is cut short',
    startedBy: 'mpirun',
    workload: 'short',
    onRank: WITHOUT_FILE('railrunner.node; echo short >"$SCRATCH/kept/build/Release/railrunner.node"'),
    ending: refused('rank 1', /rank 1 on .*railrunner\.node/),
  },
  {
    id: 'fault-misspelt-on-one-rank',
    fault: 'RAILRUNNER_FAULT is misspelt on rank 1 only',
    startedBy: 'mpirun',
    workload: 'short',
    onRank: 'if [ "$RANK" = 1 ]; then export RAILRUNNER_FAULT=nonsense; fi; exec "$@"',
    ending: refused('rank 1', /rank 1: RAILRUNNER_FAULT: expected/, [2]),
    always: true,
  },
];
