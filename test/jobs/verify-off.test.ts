/** verify: off as a user sees it, for every kind: rows are good, and none says that anything was checked. */
import { join } from 'node:path';
import t from 'tap';
import { JOB_KINDS } from '../../jobs/index.js';
import { projectRoot } from '../../runner/project.js';
import { readRankRows } from '../helpers/results.js';
import { runArgs, runCli } from '../helpers/run-cli.js';

t.setTimeout(300_000);

t.test('nothing is checked, and no row says so', async (t) => {
  const folder = t.testdir();
  const spec = join(projectRoot, 'configs', 'quickstart.json');
  const words = ['--set', 'jobs.*.verify=off', '--set', 'defaults.iterations=2', '--points', '2,4,10,12-14'];
  const ended = await runCli([...runArgs(spec, folder), ...words]);
  t.equal(ended.status, 0, ended.stderr);
  const rows = readRankRows(join(folder, 'x')).flat();
  const kinds = new Set(rows.map((row) => row['kind']));
  t.same([...kinds].sort(), JOB_KINDS.map(({ kind }) => kind).sort(), 'a point of every kind');
  for (const { kind, phase, status, checked, wrong } of rows) {
    t.ok(['ok', 'idle'].includes(status ?? ''), `${kind} ${phase}`);
    t.same([checked, wrong], ['', ''], `${kind} ${phase}`);
  }
});
