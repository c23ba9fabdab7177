/** Ranks whose builds carry the same version and differ in their bytes: refused at the start, by rank, host and file. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { copyWithout } from '../helpers/incomplete-copy.js';
import { MPIS, mpirun, type Mpi } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { railrunner } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

// small worlds: two ranks that meet no deadline

const OF_RANK = { openmpi: 'OMPI_COMM_WORLD_RANK', mpich: 'PMI_RANK' } as const;

/** Two ranks; the second runs a copy in which `file` has one more byte at its end, as a copy that was cut or patched. */
async function runMixed(
  folder: string,
  mpi: Mpi,
  file: string,
): Promise<{ status: number | null; said: string }> {
  const plugIn = `railrunner_mpi_${mpi}.so`;
  const other = copyWithout(join(folder, 'copy'), ['railrunner.node', plugIn]);
  appendFileSync(join(folder, 'copy', file), '\n');
  const out = join(folder, 'out');
  mkdirSync(out);
  const script = `[ "$${OF_RANK[mpi]}" = 1 ] && command=${other} || command=${railrunner}; exec ${process.execPath} "$command" "$@"`;
  const words = ['sh', '-c', script, 'sh', 'run', writeSmallSpec(folder), '--out', out];
  const { status, stdout, stderr } = await mpirun({ mpi, ranks: 2 }, words);
  return { status, said: `${stdout}${stderr}` };
}

for (const mpi of MPIS) {
  for (const [what, file, name] of [
    ['JavaScript', 'dist/jobs/index.js', 'dist/'],
    ['addon', 'build/Release/railrunner.node', 'railrunner.node'],
  ] as const) {
    t.test(`another ${what} on one rank of ${mpi}`, { skip: needsMpi(mpi) }, async (t) => {
      const { status, said } = await runMixed(t.testdir(), mpi, file);
      t.equal(status, 3, said);
      const host = hostname().replaceAll('.', '\\.');
      const place = `${name}: [0-9a-f]{12} on rank 0 \\(${host}\\), [0-9a-f]{12} on rank 1 \\(${host}\\)`;
      t.match(
        said,
        new RegExp(`railrunner: E_VERSION_MISMATCH: .*differ in ${place}\\. Install the same build`),
      );
      t.equal(said.split('E_VERSION_MISMATCH').length, 2, `said once:\n${said}`);
    });
  }
}
