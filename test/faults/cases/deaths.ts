/** Ranks that are killed or stopped: the others name them. */
import type { FaultCase } from '../fault.js';

export const DEATH_FAULTS: readonly FaultCase[] = [
  {
    id: 'rank-killed',
    fault: 'rank 1 of 3 is killed while a point runs, and mpirun ends the others a second later',
    startedBy: 'mpirun',
    // MPICH kills the others at once with the first that dies: they have no time to say anything.
    mpis: ['openmpi'],
    ranks: 3,
    workload: 'long',
    strike: async (rig) => {
      await rig.untilRows(1);
      process.kill(rig.pidOf(1), 'SIGKILL');
    },
    ending: {
      outcome: 'aborted',
      status: [137],
      named: 'rank 1',
      says: /rank 1 ended or stopped answering/,
      culprit: { rank: 1 },
      rows: 'all',
      lostRanks: [1],
    },
    always: true,
  },
  {
    id: 'rank-stopped',
    fault: 'rank 1 of 2 is stopped while a point runs',
    startedBy: 'mpirun',
    mpis: ['openmpi'],
    workload: 'long',
    env: { RAILRUNNER_PEER_TIMEOUT_SECONDS: '2' },
    strike: async (rig) => {
      await rig.untilRows(1);
      process.kill(rig.pidOf(1), 'SIGSTOP');
    },
    ending: {
      outcome: 'aborted',
      status: [4, 137, 143],
      named: 'rank 1',
      says: /rank 1 ended or stopped answering/,
      culprit: { rank: 1 },
      rows: 'all',
      lostRanks: [1],
    },
  },
];
