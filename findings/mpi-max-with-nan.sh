#!/usr/bin/env bash
# MPI_Allreduce with MPI_MAX where one rank has NaN: whatever comes out, all ranks are supposed to receive one result.
# With MPICH 4.0.2 they receive two or three, and with it and with Open MPI 4.1.4 usual values of other ranks are lost as well.
# Four ranks give 0, 1, 2, 3, one of them NaN instead. What ranks 0 to 3 receive:
#
#   NaN at rank    MPICH 4.0.2        Open MPI 4.1.4
#   0              3   3   3   nan    nan nan nan nan
#   1              3   3   nan 3      3   3   3   3
#   2              3   nan 3   1      1   1   1   1       the largest value was 3
#   3              nan 2   1   2      2   2   2   2
#
# max(a, b) by `a > b ? a : b` depends on the order of its operands as soon as one is NaN, and the ranks combine in
# different orders. So a benchmark that takes "the slowest rank" may report a fast one, and ranks that branch on the
# result part ways. Test for NaN before, or reduce a flag next to the value.
# Needs Debian 12's mpich, libmpich-dev, openmpi-bin and libopenmpi-dev, and a C compiler. Takes a few seconds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
cat >max.c <<'C'
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  int rank, length;
  char version[MPI_MAX_LIBRARY_VERSION_STRING];
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Get_library_version(version, &length);
  for (char* end = version; *end; end++)
    if (*end == '\n' || *end == ',') *end = 0;
  if (rank == 0) printf("%s\n", version);
  for (int owner = 0; owner < 4; owner++) {
    double own = rank == owner ? NAN : rank, largest, all[4];
    MPI_Allreduce(&own, &largest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    MPI_Gather(&largest, 1, MPI_DOUBLE, all, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    if (rank == 0) printf("NaN at %d: %g %g %g %g\n", owner, all[0], all[1], all[2], all[3]);
  }
  MPI_Finalize();
}
C
mpicc.mpich -o max-mpich max.c
mpicc.openmpi -o max-openmpi max.c
cat >expected <<'TEXT'
MPICH Version:	4.0.2
NaN at 0: 3 3 3 nan
NaN at 1: 3 3 nan 3
NaN at 2: 3 nan 3 1
NaN at 3: nan 2 1 2
Open MPI v4.1.4
NaN at 0: nan nan nan nan
NaN at 1: 3 3 3 3
NaN at 2: 1 1 1 1
NaN at 3: 2 2 2 2
TEXT
{
  timeout 60 mpirun.mpich -n 4 ./max-mpich
  timeout 60 mpirun.openmpi --oversubscribe -n 4 ./max-openmpi
} | sed 's/-nan/nan/g' | tee seen
diff expected seen || {
  echo 'the behaviour has changed' >&2
  exit 1
}
echo 'as described'
