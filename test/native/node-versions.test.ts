/** The addon loads and a small run passes on every Node that the project says it supports, from the npm package `node`. */
import { join } from 'node:path';
import t from 'tap';
import { needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { railrunner, run } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

t.setTimeout(1_200_000);

const VERSIONS = ['20', '22', '24', '26'];
const needsSwitch =
  process.env['RAILRUNNER_TEST_NODES'] === '1'
    ? needsMpi('openmpi')
    : 'needs RAILRUNNER_TEST_NODES=1, for it downloads four Nodes';

for (const version of VERSIONS) {
  t.test(`Node ${version}`, { skip: needsSwitch }, async (t) => {
    const folder = t.testdir();
    const install = [
      'install',
      '--prefix',
      folder,
      '--no-save',
      '--no-audit',
      '--no-fund',
      `node@${version}`,
    ];
    const installed = await run('npm', install, { timeoutMs: 600_000 });
    t.equal(installed.status, 0, installed.stderr);
    const node = join(folder, 'node_modules', 'node', 'bin', 'node');
    const said = await run(node, ['--version']);
    t.match(said.stdout, new RegExp(`^v${version}\\.`));
    const spec = writeSmallSpec(folder);
    const args = ['launch', '-n', '2', spec, '--out', folder, '--run-id', 'r'];
    const ended = await run(node, [railrunner, ...args], { timeoutMs: 300_000 });
    t.equal(ended.status, 0, ended.stderr);
    const manifest = readManifest(join(folder, 'r'));
    t.match(manifest, { outcome: 'ok', versions: { node: said.stdout.trim() } }, 'the ranks ran on it too');
    const rows = readRankRows(join(folder, 'r')).flat();
    t.same(new Set(rows.map(({ status, wrong }) => `${status} ${wrong}`)), new Set(['ok 0']));
  });
}
