/** `doctor` under a launcher: bound as ranks are, and said once per machine. */
import t from 'tap';
import { MPIS, mpirunCli } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';

for (const mpi of MPIS) {
  t.test(`under ${mpi} one rank of the machine speaks, for all`, { skip: needsMpi(mpi) }, async (t) => {
    const ended = await mpirunCli({ mpi, ranks: 3 }, ['doctor', '--json']);
    t.equal(ended.status, 0, ended.stderr);
    t.match(JSON.parse(ended.stdout), { worldSize: 3, ranksHere: 3 }, 'one document, not three');
  });
}
