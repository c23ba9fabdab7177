#!/usr/bin/env bash
# Measures on the nodes of a Slurm job and reports. Submit it from a folder that all nodes see:
#   sbatch --wait --nodes=2 --ntasks-per-node=4 docs/ci/slurm.sh
# With --wait, sbatch ends with the exit status of this script.
#SBATCH --job-name=railrunner
#SBATCH --time=00:30:00
set -euo pipefail

RAILRUNNER=${RAILRUNNER:-bin/railrunner}
SPEC=${SPEC:-configs/quickstart.json}
RESULTS=${RESULTS:-results}
# pmix for Open MPI, pmi2 for MPICH
MPI=${MPI:-pmix}

run_id="slurm-$SLURM_JOB_ID"
status=0
srun --mpi="$MPI" "$RAILRUNNER" run "$SPEC" --out "$RESULTS" --run-id "$run_id" || status=$?

# srun's status is that of some rank, or of a signal that it sent itself: what counts is what the run left behind.
"$RAILRUNNER" report "$RESULTS/$run_id" --out "$RESULTS/$run_id-report"
exit "$status"
