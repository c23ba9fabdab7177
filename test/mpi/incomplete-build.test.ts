/** A railrunner whose addon or plug-in is not there: exit 3, the cause and the command that fixes it, said once. */
import { join } from 'node:path';
import t from 'tap';
import { copyWithout } from '../helpers/incomplete-copy.js';
import { MPIS, mpirun } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { run } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

// small worlds: two ranks that meet no deadline

for (const mpi of MPIS) {
  for (const [what, native] of [
    ['addon', []],
    ['plug-in', ['railrunner.node']],
  ] as const) {
    t.test(`ranks of ${mpi} without the ${what}`, { skip: needsMpi(mpi) }, async (t) => {
      const folder = t.testdir();
      const command = copyWithout(join(folder, 'copy'), native);
      const spec = writeSmallSpec(folder);
      const ended = await mpirun({ mpi, ranks: 2 }, [
        process.execPath,
        command,
        'run',
        spec,
        '--out',
        folder,
      ]);
      t.not(ended.status, 0);
      if (mpi === 'openmpi') t.equal(ended.status, 3, 'mpirun hands the status on');
      t.match(ended.stderr, /npm run build/, 'names the command that fixes it');
      // Rank 1 leaves the word to rank 0 for 3 s: on a loaded machine both may have spoken.
      const numSaid = ended.stderr.split('railrunner:').length - 1;
      t.ok(numSaid === 1 || numSaid === 2, `said once by a rank:\n${ended.stderr}`);
    });
  }
}

t.test('commands that need no native build work without one', async (t) => {
  const folder = t.testdir();
  const command = copyWithout(join(folder, 'copy'), []);
  const spec = writeSmallSpec(folder);
  for (const args of [['--help'], ['validate', spec], ['plan', spec], ['schema']]) {
    const ended = await run(process.execPath, [command, ...args]);
    t.equal(ended.status, 0, `${args[0]}: ${ended.stderr}`);
  }
});

t.test(
  'ranks of one MPI under the launcher of the other are refused',
  { skip: needsMpi('mpich') || needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const command = copyWithout(join(folder, 'copy'), ['railrunner.node', 'railrunner_mpi_openmpi.so']);
    // Without the words of its own launcher a rank would open whichever MPI is there, and run alone as rank 0 of 1.
    const strip =
      'unset PMI_RANK PMI_FD PMI_SIZE; export OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0; exec "$@"';
    const spec = writeSmallSpec(folder);
    const ended = await mpirun({ mpi: 'mpich', ranks: 2 }, [
      'sh',
      '-c',
      strip,
      'sh',
      process.execPath,
      command,
      'run',
      spec,
    ]);
    t.match(ended.stderr, /hydra_pmi_proxy started this process, but none of its variables .*PMI_RANK/);
  },
);
