#!/usr/bin/env bash
# Measures on the nodes of a Slurm job and reports. Submit it from a folder that all nodes see:
#   sbatch --wait --nodes=2 --ntasks-per-node=4 docs/ci/slurm.sh
# With --wait, sbatch ends with the exit status of this script. As a job array, each task measures a part of the points, and
# the report is made from all of them afterwards:
#   sbatch --wait --array=1-4 --nodes=2 --ntasks-per-node=4 docs/ci/slurm.sh
#   bin/railrunner report results/slurm-JOB-*
#SBATCH --job-name=railrunner
#SBATCH --time=00:30:00
set -euo pipefail

RAILRUNNER=${RAILRUNNER:-bin/railrunner}
SPEC=${SPEC:-configs/quickstart.json}
RESULTS=${RESULTS:-results}
# pmix for Open MPI, pmi2 for MPICH
MPI=${MPI:-pmix}

run_id="slurm-$SLURM_JOB_ID"
shard=()
if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then
  run_id="slurm-$SLURM_ARRAY_JOB_ID-$SLURM_ARRAY_TASK_ID"
  shard=(--shard slurm)
fi
status=0
srun --mpi="$MPI" "$RAILRUNNER" run "$SPEC" --out "$RESULTS" --run-id "$run_id" "${shard[@]}" || status=$?
# A part of a run is not worth a report of its own: it would miss the others.
if ((${#shard[@]} > 0)); then exit "$status"; fi

# srun's status is that of some rank, or of a signal that it sent itself: what counts is what the run left behind.
"$RAILRUNNER" report "$RESULTS/$run_id" --out "$RESULTS/$run_id-report"
exit "$status"
