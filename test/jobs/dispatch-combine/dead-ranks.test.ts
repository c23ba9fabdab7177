/** A rank that dies or freezes inside an exchange: the others end long before their deadline, and name it. */
import t from 'tap';
import { MPIS } from '../../helpers/mpirun.js';
import { needsMpi } from '../../helpers/require.js';
import { namesLast, strikeLast } from '../../helpers/strike-rank.js';

t.setTimeout(600_000);

const WORLD = { device: 'host', ranks: 4, ranksPerNode: 2 } as const;

for (const mpi of MPIS) {
  t.test(`a rank killed inside an exchange under ${mpi}`, { skip: needsMpi(mpi) }, async (t) => {
    await strikeLast(t, { ...WORLD, mpi, signal: 'SIGKILL' });
  });
  t.test(`a rank frozen inside an exchange under ${mpi}`, { skip: needsMpi(mpi) }, async (t) => {
    namesLast(t, await strikeLast(t, { ...WORLD, mpi, signal: 'SIGSTOP' }));
  });
}

t.test(
  'a rank killed inside an exchange where the launcher lets the others live',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const launcherArgs = ['--enable-recovery'];
    namesLast(t, await strikeLast(t, { ...WORLD, mpi: 'openmpi', signal: 'SIGKILL', launcherArgs }));
  },
);
