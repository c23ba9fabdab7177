/** A kind that breaks its contract fails its point by name; the run goes on. What kinds keep lives on within their group. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runArgs } from '../helpers/run-cli.js';
import { mpirun } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';

t.setTimeout(300_000);

const toyKind = fileURLToPath(new URL('toy-kind.js', import.meta.url));
const keepingKinds = fileURLToPath(new URL('keeping-kinds.js', import.meta.url));

t.test(
  'misspelt columns, missing verification, and a number of samples of its own',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const spec = join(folder, 'spec.json');
    const jobs = [
      { id: 'misspelt', kind: 'toy', fills: 'hopz' },
      { id: 'unverified', kind: 'toy', verifies: false },
      { id: 'unverified-on-purpose', kind: 'toy', verifies: false, verify: 'off' },
      { id: 'fixed', kind: 'toy', stopping: {} },
      { id: 'good', kind: 'toy' },
    ];
    writeFileSync(spec, JSON.stringify({ name: 'toy', device: 'host', jobs }));
    const ended = await mpirun({ mpi: 'openmpi', ranks: 2 }, [
      process.execPath,
      toyKind,
      ...runArgs(spec, folder),
    ]);
    t.equal(ended.status, 1, ended.stderr + ended.stdout);
    for (const rows of readRankRows(join(folder, 'x'))) {
      const of = (id: string) => rows.filter((row) => row['job_id'] === id);
      t.match(of('misspelt'), [{ status: 'failed', error_code: 'E_STATE', error: /received hopz/ }]);
      t.match(of('unverified'), [
        {
          status: 'failed',
          error_code: 'E_STATE',
          error: /phase total was measured, expected a verification/,
        },
      ]);
      t.match(of('unverified-on-purpose'), [{ status: 'ok', checked: '' }]);
      t.match(of('fixed'), [
        { status: 'failed', error_code: 'E_STATE', error: /as stopping says, received 3 of them/ },
      ]);
      t.match(of('good'), [{ status: 'ok', checked: '8', hops: '3' }]);
    }
    t.match(readManifest(join(folder, 'x')), { outcome: 'failed' });
  },
);

t.test(
  'resources live on from job to job of a group, and no further',
  { skip: needsMpi('openmpi') },
  async (t) => {
    const folder = t.testdir();
    const spec = join(folder, 'spec.json');
    const jobs = ['first', 'second', 'first', 'loner', 'loner', 'second'].map((kind, index) => ({
      id: `job-${index}`,
      kind,
    }));
    writeFileSync(spec, JSON.stringify({ name: 'keeping', device: 'host', jobs }));
    const command = [process.execPath, keepingKinds, 'run', spec, '--out', folder, '--run-id', 'x'];
    const ended = await mpirun({ mpi: 'openmpi', ranks: 1 }, command);
    t.equal(ended.status, 0, ended.stderr + ended.stdout);
    const [rows = []] = readRankRows(join(folder, 'x'));
    t.strictSame(
      rows.map(({ made }) => made),
      ['1', '1', '1', '2', '3', '4'],
    );
    t.equal(ended.stderr.match(/the resource is closed/g)?.length, 3, 'the last one ends with its process');
  },
);
