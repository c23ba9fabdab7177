/** Every model and number of tokens of configs/moe/high-throughput.json between two hosts; it takes an hour on two cores. */
import { join, resolve } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { keepSummary } from '../../scripts/bench/keep-summary.js';
import { firstMissing, needsMpi, needsNamespaces } from '../helpers/require.js';
import { readRankRows } from '../helpers/results.js';
import { withHosts } from './hosts.js';

const kept = process.env['RAILRUNNER_TEST_SWEEP'];
const jobs = process.env['RAILRUNNER_TEST_JOBS'];
t.setTimeout(4 * 3600_000);

const needsSweep = kept ? false : 'needs RAILRUNNER_TEST_SWEEP=FILE.csv (an hour)';
const skip = firstMissing(needsSweep, needsNamespaces(), needsMpi('openmpi'));
t.test('the sweep between 2 hosts with 2 ranks each', { skip }, async (t) => {
  const folder = t.testdir();
  const few = ['defaults.warmup=1', 'defaults.iterations=3', 'defaults.probe=false'];
  const changes = few.flatMap((change) => ['--set', change]);
  const words = [
    join(projectRoot, 'configs', 'moe', 'high-throughput.json'),
    '--out',
    folder,
    '--run-id',
    'x',
  ];
  const only = jobs === undefined ? [] : ['--only', jobs];
  const args = ['run', ...words, ...changes, ...only, '--timeout', '600'];
  await withHosts(2, 2, async (bed) => {
    const ended = await bed.mpirunCli({ mpi: 'openmpi', timeoutMs: 4 * 3600_000 }, args);
    t.equal(ended.status, 0, ended.stderr.slice(-3000));
  });
  const rows = readRankRows(join(folder, 'x')).flat();
  t.ok(rows.length > 0);
  for (const row of rows) {
    t.match(row, { status: 'ok', wrong: '0', checked: /^[1-9]/, transport_used: 'ipc+network' });
  }
  keepSummary(join(folder, 'x'), resolve(kept ?? ''));
});
