/** Text for people that nobody reads or that cannot be written: it costs text, never the run. */
import type { Ending, FaultCase } from '../fault.js';

const WELL: Ending = { outcome: 'ok', status: [0], named: 'nobody', rows: 'all' };

/** The command with its outputs redirected by a shell. */
const shell = (redirection: string): readonly string[] => ['sh', '-c', `exec "$@" ${redirection}`, 'sh'];
/** A shell whose status is the command's, although its reader ends after a line. */
const readByHead = (which: 1 | 2): readonly string[] => [
  'bash',
  '-c',
  which === 2 ? '"$@" 2> >(head -1 >/dev/null)' : '"$@" > >(head -1 >/dev/null)',
  'bash',
];

export const OUTPUT_FAULTS: readonly FaultCase[] = [
  {
    id: 'stderr-reader-leaves',
    fault: 'the reader of stderr ends after one line',
    startedBy: 'alone',
    workload: 'sweep',
    wrap: readByHead(2),
    ending: WELL,
    always: true,
  },
  {
    id: 'stdout-reader-leaves',
    fault: 'the reader of stdout ends after one line',
    startedBy: 'alone',
    workload: 'sweep',
    wrap: readByHead(1),
    ending: WELL,
  },
  {
    id: 'stderr-full',
    fault: 'stderr is a file on a full disk',
    startedBy: 'alone',
    workload: 'sweep',
    wrap: shell('2>/dev/full'),
    ending: WELL,
    always: true,
  },
  {
    id: 'stdout-full',
    fault: 'stdout is a file on a full disk',
    startedBy: 'alone',
    workload: 'short',
    wrap: shell('>/dev/full'),
    ending: WELL,
    always: true,
  },
  {
    id: 'stdio-closed',
    fault: 'stdin, stdout and stderr are closed',
    startedBy: 'alone',
    workload: 'short',
    wrap: shell('<&- >&- 2>&-'),
    ending: WELL,
  },
  {
    id: 'stderr-not-read',
    fault: 'stderr is a full pipe that nobody reads',
    startedBy: 'alone',
    workload: 'sweep',
    // The pipe is full before the run begins; the reader holds it open and takes nothing.
    wrap: [
      'bash',
      '-c',
      'exec 3> >(exec sleep 600); dd if=/dev/zero of=/dev/fd/3 bs=4096 oflag=nonblock 2>/dev/null; "$@" 2>&3; s=$?; kill $!; exit $s',
      'bash',
    ],
    ending: WELL,
    always: true,
  },
  {
    id: 'output-full-ranks',
    fault: "the launcher's stdout and stderr are files on a full disk",
    startedBy: 'mpirun',
    mpis: ['openmpi'],
    workload: 'sweep',
    wrap: shell('>/dev/full 2>&1'),
    ending: WELL,
  },
];
