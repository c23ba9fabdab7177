import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../../runner/project.js';
import { mpirun, MPIS } from '../../helpers/mpirun.js';
import { needsMpi } from '../../helpers/require.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const rankProgram = join(projectRoot, 'dist', 'test', 'jobs', 'transfer', 'request-rank.js');
const RANKS = 3;

for (const mpi of MPIS) {
  t.test(`requests of rank 0 on real ranks of ${mpi}`, { skip: needsMpi(mpi) }, async (t) => {
    await withTempDir(async (folder) => {
      const ended = await mpirun({ mpi, ranks: RANKS }, [process.execPath, rankProgram, folder]);
      t.equal(ended.status, 0, ended.stderr);
      const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'));
      t.match(read('results.json'), [
        { id: 0, executed: RANKS, cancelled: 0, failures: [] },
        { id: 1, executed: RANKS, failures: [] },
        { id: 2, executed: RANKS - 1, cancelled: 1, failures: [] },
        {
          id: 100,
          executed: 0,
          failures: Array.from({ length: RANKS }, (_, rank) => ({ rank, error: /expected JSON/ })),
        },
        { executed: RANKS - 1, failures: [{ rank: RANKS - 1, error: 'the copy failed' }] },
      ]);
      for (let rank = 0; rank < RANKS; rank++) {
        const { host, batches } = read(`rank-${rank}.json`) as { host: number[]; batches: number[] };
        t.same(
          host,
          Array.from({ length: 40 }, (_, block) => 39 - block + rank),
          `every block of rank ${rank}`,
        );
        t.same(batches.slice(0, 3), [16, 16, 8], 'in batches');
      }
    });
  });
}
