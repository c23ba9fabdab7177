/** Signals of schedulers, terminals and people, to one process or to the whole group. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ending, FaultCase } from '../fault.js';

const aborted = (status: readonly (number | null)[]): Ending => ({
  outcome: 'aborted',
  status,
  named: 'the signal',
  rows: 'all',
});

const WHO = {
  launch: 'only launch',
  group: 'the process group of launch',
} as const;

function toLaunch(signal: NodeJS.Signals, to: keyof typeof WHO, always = false): FaultCase {
  return {
    id: `${signal.toLowerCase()}-to-${to}`,
    fault: `${WHO[to]} gets ${signal} while a point runs`,
    startedBy: 'launch',
    workload: 'long',
    strike: async (rig) => {
      await rig.untilRows(1);
      if (to === 'group') rig.signalGroup(signal);
      else rig.signal(signal);
    },
    ending: aborted([signal === 'SIGINT' ? 130 : 143]),
    ...(always ? { always } : {}),
  };
}

export const SIGNAL_FAULTS: readonly FaultCase[] = [
  toLaunch('SIGTERM', 'launch', true),
  toLaunch('SIGINT', 'launch'),
  toLaunch('SIGHUP', 'launch', true),
  toLaunch('SIGUSR1', 'launch'),
  toLaunch('SIGUSR2', 'launch'),
  toLaunch('SIGTERM', 'group'),
  toLaunch('SIGINT', 'group', true),
  toLaunch('SIGHUP', 'group'),
  ...(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const).map((signal): FaultCase => ({
    id: `${signal.toLowerCase()}-alone`,
    fault: `a run of one process without a launcher gets ${signal}`,
    startedBy: 'alone',
    workload: 'long',
    strike: async (rig) => {
      await rig.untilRows(1);
      rig.signal(signal);
    },
    ending: aborted([signal === 'SIGINT' ? 130 : 143]),
  })),
  {
    id: 'sigterm-while-routing',
    fault: 'launch gets SIGTERM while the ranks compute the routing of 120,000 tokens',
    startedBy: 'launch',
    mpis: ['openmpi'],
    workload: 'routing',
    strike: async (rig) => {
      await rig.untilRows(1);
      // The next point begins at once, and its routing takes far longer than this.
      await sleep(1000);
      rig.signal('SIGTERM');
    },
    ending: aborted([143]),
    always: true,
  },
  {
    id: 'deadline-while-routing',
    fault: 'a deadline of 3 s passes while the ranks compute the routing of 120,000 tokens',
    startedBy: 'mpirun',
    workload: 'slowRouting',
    ending: { outcome: 'timeout', status: [124], named: 'the stage', says: /deadline of 3 s/, rows: 'all' },
  },
  {
    id: 'sigkill-to-launch',
    fault: 'launch is killed: its watchdog ends the ranks, which write their rows, and mpirun',
    startedBy: 'launch',
    workload: 'long',
    strike: async (rig) => {
      await rig.untilRows(1);
      rig.signal('SIGKILL');
    },
    ending: { outcome: 'aborted', status: [null], named: 'the signal', rows: 'all' },
  },
  {
    id: 'launch-in-a-loop',
    fault: 'launch runs in a shell loop that reads names from standard input',
    startedBy: 'launch',
    workload: 'short',
    wrap: [
      'sh',
      '-c',
      'printf "one\\ntwo\\n" | { read -r one; "$@" || exit $?; read -r two && echo "left: $two"; }',
      'sh',
    ],
    ending: { outcome: 'ok', status: [0], named: 'nobody', says: /left: two/, rows: 'all' },
    always: true,
  },
  {
    id: 'launch-under-mpirun',
    fault: 'mpirun starts launch on two ranks, each of which would start its own',
    startedBy: 'launch',
    workload: 'short',
    wrap: ['mpirun.openmpi', '--allow-run-as-root', '--oversubscribe', '-n', '2'],
    ending: {
      outcome: 'none',
      status: [3],
      named: 'the launcher',
      says: /launch starts ranks itself, and mpirun of Open MPI has started 2/,
      rows: 'none',
    },
  },
  {
    id: 'run-id-taken',
    fault: 'the run id belongs to a run that was good',
    startedBy: 'launch',
    workload: 'short',
    wrap: ['sh', '-c', '"$@" >/dev/null && exec "$@"', 'sh'],
    ending: { outcome: 'ok', status: [3], named: 'the folder', says: /choose another --run-id/, rows: 'all' },
  },
];
