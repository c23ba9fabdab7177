import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { MPIS, mpirun } from '../helpers/mpirun.js';
import { nativeProgram } from '../helpers/native-program.js';
import { needsMpi } from '../helpers/require.js';

for (const mpi of MPIS) {
  t.test(
    `${mpi}: exchanges and sampling gate: contents, stop, absence, failure, a fresh epoch`,
    { skip: needsMpi(mpi) },
    async (t) => {
      const program = await nativeProgram('world_test');
      const plugin = join(projectRoot, 'build', 'Release', `railrunner_mpi_${mpi}.so`);
      for (const [ranks, ranksPerNode, nodes] of [
        [1, 0, 1],
        [2, 1, 2],
        [4, 0, 1],
        [4, 2, 2],
        [5, 2, 3],
        // Above 16 ranks blocks of an allgather travel in rounds: 17 has a last round that is not full.
        [17, 6, 3],
      ] as const) {
        const env = { UCX_MEM_EVENTS: 'no' };
        const ended = await mpirun({ mpi, ranks, env }, [program, plugin, String(ranksPerNode)]);
        t.match(
          ended,
          { status: 0, stdout: new RegExp(`${mpi}, ${ranks} ranks on ${nodes} nodes`) },
          ended.stderr,
        );
      }
    },
  );
}
