import t from 'tap';
import { needsSlurm } from '../helpers/require.js';
import { withSlurm } from './slurm.js';

t.test('a Slurm of two nodes takes jobs, with pmix and pmi2', { skip: needsSlurm() }, async (t) => {
  await withSlurm(2, 2, async (slurm) => {
    const say = ['sh', '-c', 'echo "$(hostname) $SLURM_PROCID/$SLURM_STEP_NUM_TASKS ${PMIX_RANK:-none}"'];
    const pmix = await slurm.run(['srun', '-N2', '-n4', '--mpi=pmix', ...say]);
    t.equal(pmix.status, 0, pmix.stderr);
    t.same(pmix.stdout.trim().split('\n').sort(), ['h0 0/4 0', 'h0 1/4 1', 'h1 2/4 2', 'h1 3/4 3']);
    const pmi2 = await slurm.run(['srun', '-N2', '-n4', '--mpi=pmi2', ...say]);
    t.equal(pmi2.status, 0, pmi2.stderr);
    t.match(pmi2.stdout, /h1 3\/4 none/);
    t.equal((await slurm.run(['srun', '-n1', 'sh', '-c', 'exit 7'])).status, 7);

    const sleeper = slurm.start(['srun', '-n1', 'sh', '-c', 'echo up; exec sleep 1000']);
    await sleeper.waitFor(/up/);
    slurm.signal(sleeper, 'SIGTERM');
    t.equal((await sleeper.finished).timedOut, false);
  });
});
