import t from 'tap';
import { MPIS, mpirun } from './mpirun.js';
import { needsMpi } from './require.js';

const SAY =
  'process.stdout.write(`${process.env.OMPI_COMM_WORLD_RANK ?? process.env.PMI_RANK}${process.env.NODE_OPTIONS ?? ""};`)';

for (const mpi of MPIS) {
  t.test(
    `${mpi} starts the ranks without the test runner's own options`,
    { skip: needsMpi(mpi) },
    async (t) => {
      const ended = await mpirun({ mpi, ranks: 3 }, [process.execPath, '-e', SAY]);
      t.equal(ended.status, 0, ended.stderr);
      t.same(ended.stdout.split(';').sort().join(''), '012');
    },
  );
}
