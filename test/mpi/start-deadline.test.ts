/** A rank that does not come: the others wait for it in MPI_Init for as long as the user says, and name what says it. */
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { mpirun } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

t.setTimeout(300_000);

t.test('MPI_Init is waited for as long as the environment says', { skip: needsMpi('openmpi') }, async (t) => {
  const spec = writeSmallSpec(t.testdir(), { numPoints: 1, timeoutSeconds: 60 });
  const railrunner = [process.execPath, join(projectRoot, 'bin', 'railrunner'), 'run', spec].join(' ');
  const script = `if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then exec sleep 300; fi; exec ${railrunner}`;
  const ended = await mpirun(
    { mpi: 'openmpi', ranks: 2, env: { RAILRUNNER_WORLD_TIMEOUT_SECONDS: '1' }, timeoutMs: 200_000 },
    ['sh', '-c', script],
  );
  t.match(
    ended.stderr,
    /E_TIMEOUT: .*MPI_Init did not return .* set RAILRUNNER_WORLD_TIMEOUT_SECONDS to more than 1\./,
  );
  t.not(ended.status, 0);
});
