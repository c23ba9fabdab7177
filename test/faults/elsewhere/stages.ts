/** A rank that throws or hangs in a stage, and runs that end before their last point. */
import { IN_ORDER, NOT_RUN, type FaultElsewhere } from './record.js';

const stageFault = (stage: string, action: 'throw' | 'hang'): FaultElsewhere => ({
  test: 'test/mpi/faults.test.ts',
  title: 'a rank that ${action}s in ${stage}',
  fault: `rank 2 of 4 ${action === 'throw' ? 'throws' : 'hangs'} in stage ${stage}`,
  end:
    action === 'throw'
      ? 'failed; the next point runs'
      : 'timeout at the deadline of its stage; the next point runs',
  status: action === 'throw' ? '1' : '124',
  named: `rank 2 and ${stage}`,
  ...IN_ORDER,
});

export const STAGE_FAULTS: readonly FaultElsewhere[] = ['prepare', 'measure', 'verify'].flatMap((stage) => [
  stageFault(stage, 'throw'),
  stageFault(stage, 'hang'),
]);

export const END_FAULTS: readonly FaultElsewhere[] = [
  {
    test: 'test/mpi/ends.test.ts',
    title: 'a rank killed under ${mpi}: the rest end, finished rows stay whole',
    fault: 'one of 4 ranks is killed, under Open MPI and MPICH',
    end: 'never ok',
    status: 'not 0',
    named: 'the rank, where the launcher leaves the others time',
    rows: 'those of finished points, whole to their last column',
    leftovers: 'none',
  },
  ...(['SIGTERM', 'SIGUSR1'] as const).map((signal) => ({
    test: 'test/mpi/ends.test.ts',
    title: '${signal} to one rank stops all at the same sample',
    fault: `only one of 4 ranks gets ${signal}`,
    end: 'aborted; all ranks stop at the same point',
    status: '143',
    named: 'the signal',
    ...IN_ORDER,
  })),
  {
    test: 'test/mpi/ends.test.ts',
    title: 'a manifest that cannot be put in place: the run was not good',
    fault: 'something stands in the place of manifest.json',
    end: 'no manifest; said on the terminal',
    status: '3',
    named: 'manifest.json',
    rows: 'one for every point, on every rank',
    leftovers: 'manifest.json.part',
  },
  {
    test: 'test/mpi/ends.test.ts',
    title: 'a run id that is taken: nothing is overwritten',
    fault: 'the folder of the run id holds the rows of somebody else',
    end: 'refused',
    status: '3',
    named: 'the folder, once',
    rows: 'those of before, untouched',
    leftovers: 'none',
  },
  {
    test: 'test/mpi/ends.test.ts',
    title: 'an output folder that cannot be written',
    fault: 'the output folder is a file',
    end: 'refused',
    status: '3',
    named: 'the path',
    ...NOT_RUN,
  },
  {
    test: 'test/mpi/resume.test.ts',
    title: 'kill -9 at ${NUM_KILLS} random instants, then --resume',
    fault: 'launcher and ranks are killed at a random instant; `--resume` goes on',
    end: 'ok after the resume; the table is that of an unbroken run',
    status: '0',
    named: 'nobody',
    rows: 'finished points are not run again, except at most one',
    leftovers: 'none',
  },
  {
    test: 'test/mpi/resume.test.ts',
    title: 'a run ended by a signal goes on; a finished one has nothing left to do',
    fault: 'mpirun gets SIGTERM while rank 0 hangs; `--resume` goes on',
    end: 'aborted, then ok',
    status: 'not 0, then 0',
    named: 'the signal',
    rows: 'aborted rows give way to measured ones',
    leftovers: 'none',
  },
  {
    test: 'test/mpi/resume.test.ts',
    title: 'what is not the same run is refused, and stays as it was',
    fault: '`--resume` of another spec, shard, world or version, or of what is not a run',
    end: 'refused',
    status: '2',
    named: 'what differs, with both values',
    rows: 'those of before, untouched',
    leftovers: 'none',
  },
];
