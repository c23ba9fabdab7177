/** Every fault of the table on real ranks. RAILRUNNER_ALL_FAULTS=1 runs those that `npm test` leaves out. */
import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import t from 'tap';
import { MPIS } from '../helpers/mpirun.js';
import { firstMissing, needsMpi, type Missing } from '../helpers/require.js';
import { killGroup } from '../helpers/run-cli.js';
import { FAULTS } from './cases/index.js';
import type { FaultCase } from './fault.js';
import { judge } from './judge.js';
import { processesWith, startRig } from './rig.js';

t.setTimeout(3_600_000);

const runsAll = process.env['RAILRUNNER_ALL_FAULTS'] === '1';
const only = process.env['RAILRUNNER_ONLY_FAULT'];

function skipOf(fault: FaultCase): Missing {
  if (only !== undefined) return fault.id.includes(only) ? false : 'needs another RAILRUNNER_ONLY_FAULT';
  return fault.always || runsAll ? false : 'needs RAILRUNNER_ALL_FAULTS=1';
}

t.test('the names of the faults are unique', async (t) => {
  t.equal(new Set(FAULTS.map(({ id }) => id)).size, FAULTS.length);
});

for (const fault of FAULTS) {
  for (const mpi of fault.startedBy === 'alone' ? (['openmpi'] as const) : (fault.mpis ?? MPIS)) {
    const title = `${fault.id}${fault.startedBy === 'alone' ? '' : ` under ${mpi}`}`;
    t.test(title, { skip: firstMissing(skipOf(fault), needsMpi(mpi)) }, async (t) => {
      const scratch = join(t.testdir(), 'scratch');
      mkdirSync(scratch);
      const rig = startRig(fault, mpi, scratch);
      try {
        await fault.strike?.(rig);
        await judge(t, fault, rig, { ended: await rig.running.finished, scratch });
      } finally {
        killGroup(rig.running.child);
        for (const pid of processesWith(rig.out)) process.kill(pid, 'SIGKILL');
      }
    });
  }
}
