import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { buildCommit, projectRoot } from '../../runner/project.js';
import { PACKED_FOLDER } from '../../scripts/bundle/packed.js';
import { productionPackages } from '../../scripts/bundle/parts.js';
import { packagesLoadedByTests } from '../../scripts/bundle/test-parts.js';
import { mpirun } from '../helpers/mpirun.js';
import { firstMissing, needsMpi, needsProgram } from '../helpers/require.js';
import { run, runArgs } from '../helpers/run-cli.js';
import { withTempDir } from '../helpers/with-temp-dir.js';
import { readJson } from '../helpers/json.js';
import { codeOf } from '../../runner/errors.js';

// small worlds: two ranks that meet no deadline

/** A PATH that has everything this machine has but Node. */
function pathWithoutNode(folder: string): string {
  const bin = join(folder, 'bin-without-node');
  mkdirSync(bin);
  for (const source of ['/usr/bin', '/bin']) {
    for (const name of existsSync(source) ? readdirSync(source) : []) {
      if (/^(node|nodejs|npm|npx)$/.test(name) || existsSync(join(bin, name))) continue;
      try {
        symlinkSync(realpathSync(join(source, name)), join(bin, name));
      } catch (error) {
        if (!['EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) throw error;
      }
    }
  }
  return bin;
}

async function unpackElsewhere(folder: string): Promise<string> {
  const made = await run(process.execPath, ['scripts/bundle.mjs', '--out', folder], { timeoutMs: 600_000 });
  if (made.status !== 0) throw new Error(`${made.stdout}${made.stderr}`);
  const [archive = ''] = readdirSync(folder).filter((name) => name.endsWith('.tar.xz'));
  const size = statSync(join(folder, archive)).size;
  if (!(size > 1e6 && size <= 45e6)) throw new Error(`${archive} has ${size} bytes, at most 45 MB wanted`);
  const elsewhere = join(folder, 'some where');
  mkdirSync(elsewhere);
  const unpacked = await run('tar', ['-xf', join(folder, archive), '-C', elsewhere]);
  if (unpacked.status !== 0) throw new Error(unpacked.stderr);
  return join(elsewhere, archive.replace('.tar.xz', ''));
}

// The archive by itself takes half a minute where others work too.
t.setTimeout(900_000);

const skip = firstMissing(needsProgram('xz', 'xz-utils'), needsProgram('readelf', 'binutils'));

t.test('the bundle runs where neither Node nor the clone is', { skip }, async (t) => {
  await withTempDir(async (folder) => {
    const root = await unpackElsewhere(folder);
    const env = { PATH: pathWithoutNode(folder), HOME: folder };
    const cwd = folder;
    t.equal((await run('sh', ['-c', 'command -v node'], { env, cwd })).stdout, '', 'node is not in PATH');

    const railrunner = join(root, 'bin', 'railrunner');
    const help = await run(railrunner, ['--help'], { env, cwd });
    t.match(help, { status: 0, stdout: /validate/ }, help.stderr);
    const linked = join(folder, 'rr');
    symlinkSync(railrunner, linked);
    t.equal((await run(linked, ['--version'], { env, cwd })).status, 0, 'through a link');
    const spec = join(root, 'configs', 'quickstart.json');
    const validated = await run(railrunner, ['validate', spec], { env, cwd });
    t.equal(validated.status, 0, validated.stderr);

    const launcher = readFileSync(railrunner, 'utf8');
    t.match(launcher, /'\.\.\/dist\/packed\/runner\/main\.js'/, 'the program runs from few files');
    t.notMatch(launcher, /'\.\.\/dist\/(?!packed\/)/);
    const packed = join(root, PACKED_FOLDER);
    for (const name of readdirSync(packed, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.js') || !readFileSync(join(packed, name), 'utf8').includes('new URL("./main.js"')) continue;
      t.ok(existsSync(join(packed, dirname(name), 'main.js')), `the thread that ${name} starts lies next to it`);
    }

    const facts = readJson<{ native: string[]; commit: string | null }>(join(root, 'bundle.json'));
    t.equal(facts.commit, buildCommit());
    t.ok(facts.native.includes('railrunner.node'));
    t.notOk(existsSync(join(root, 'node_modules', 'tap')), 'what only tests need is not inside');
    const strings = await run('grep', ['-rlF', `${projectRoot}/`, root], { cwd });
    t.equal(strings.stdout, '', 'no path of the clone is inside');

    t.equal((await run(railrunner, ['launch', '-n', '2', '--print-only', spec], { env, cwd })).status, 0);

    if (needsMpi('openmpi') === false) {
      const out = join(folder, 'results');
      // A point or two of every kind.
      const line = [railrunner, ...runArgs(spec, out, 'bundle'), '--points', '4,5,10,12-14'];
      const ended = await mpirun({ mpi: 'openmpi', ranks: 2, env, cwd, timeoutMs: 300_000 }, line);
      t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(-3000));
      t.ok(existsSync(join(out, 'bundle', 'rank-0001.csv')));
      const page = await run(railrunner, ['report', join(out, 'bundle'), '--out', join(folder, 'report')], {
        env,
        cwd,
      });
      t.equal(page.status, 0, page.stderr);
      t.ok(existsSync(join(folder, 'report', 'report.html')), 'every package that a report needs is inside');
    }

    rmSync(join(root, 'native'), { recursive: true });
    t.equal((await run(railrunner, ['validate', spec], { env, cwd })).status, 0, 'validate needs no native code');
    t.equal((await run(railrunner, ['plan', spec, '--world-size', '4'], { env, cwd })).status, 0);
    t.match(await run(railrunner, ['run', spec], { env, cwd }), { status: 3, stderr: /addon.*not/ });
  });
});

t.test('the packages that running needs are those that package.json names, and theirs', async (t) => {
  const packages = productionPackages(projectRoot);
  t.ok(packages.includes('node_modules/ajv') && packages.includes('node_modules/pino'));
  t.notOk(packages.includes('node_modules/typescript') || packages.includes('node_modules/tap'));
  t.ok(dirname(packages[0] ?? '').startsWith('node_modules'));
});

t.test('a bundle with tests carries the packages that tests load, and not all that tap could need', async (t) => {
  const packages = packagesLoadedByTests(projectRoot);
  for (const name of ['tap', '@tapjs/core', 'tap-parser', 'csv-parse']) t.ok(packages.includes(`node_modules/${name}`), name);
  t.notOk(packages.some((path) => /node_modules\/(typescript|tshy|node-gyp)$/.test(path)));
  t.ok(packages.length < 100, `${packages.length} packages`);
});
