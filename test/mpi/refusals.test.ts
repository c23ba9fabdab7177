/** What this machine cannot do is refused before anything is allocated, with the figures, once. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runArgs } from '../helpers/run-cli.js';
import { mpirunCli } from '../helpers/mpirun.js';
import { needsGpus, needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

// small worlds: two ranks that meet no deadline

t.setTimeout(600_000);
const skip = needsMpi('openmpi');

t.test('more memory than there is', { skip }, async (t) => {
  const folder = t.testdir();
  // 8 KiB per block: a pool of 16 TiB.
  const spec = writeSmallSpec(folder, { job: { pools: { deviceBlocks: 2 ** 31 - 1, hostBlocks: 8 } } });
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2 }, runArgs(spec, folder));
  t.equal(ended.status, 3, ended.stderr);
  t.match(ended.stderr, /2 ranks need [\d.]+ [KMGT]iB of memory, [\d.]+ [KMGT]iB are available/);
  t.match(ended.stderr, /railrunner plan/, 'says what to look at');
  t.equal(ended.stderr.split('railrunner:').length, 2, 'said once');
  t.notOk(existsSync(join(folder, 'x')), 'no run folder for a run that never was');
});

t.test('more disk than there is', { skip }, async (t) => {
  const folder = t.testdir();
  const spec = writeSmallSpec(folder, {
    job: { to: 'disk', pools: { deviceBlocks: 8, diskBlocks: 2 ** 31 - 1, diskPath: folder } },
  });
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2 }, ['run', spec, '--out', folder]);
  t.equal(ended.status, 3, ended.stderr);
  t.match(ended.stderr, /ranks need [\d.]+ [KMGT]iB in .*, [\d.]+ [KMGT]iB are free/);
});

t.test(
  'cuda where no rank has a GPU',
  { skip: skip || (needsGpus(1) === false && 'needs a machine without a GPU') },
  async (t) => {
    const folder = t.testdir();
    const spec = writeSmallSpec(folder);
    const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2 }, [
      'run',
      spec,
      '--device',
      'cuda',
      '--out',
      folder,
    ]);
    t.equal(ended.status, 3, ended.stderr);
    t.match(ended.stderr, /no rank has a GPU .*--device host/);
  },
);

t.test('a strategy of another device: the point is skipped, the exit is not touched', { skip }, async (t) => {
  const folder = t.testdir();
  const spec = writeSmallSpec(folder, { job: { strategy: 'staged' } });
  const ended = await mpirunCli({ mpi: 'openmpi', ranks: 2 }, runArgs(spec, folder));
  t.equal(ended.status, 0, ended.stderr);
  for (const own of readRankRows(join(folder, 'x'))) {
    t.match(own[0], { status: 'skipped', error_code: 'E_UNSUPPORTED_HERE', t_p50_us: '' });
  }
  t.equal(readManifest(join(folder, 'x'))?.outcome, 'ok');
});
