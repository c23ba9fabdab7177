import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { needsProgram } from '../helpers/require.js';
import { run } from '../helpers/run-cli.js';
import { withTempDir } from '../helpers/with-temp-dir.js';
import { sourcesBelow } from '../rules/sources.js';

/** Setup is plain JavaScript, which runs before TypeScript is built; this is what the tests use of it. */
interface SetUp {
  checkNodeVersion(root: string, version?: string): void;
  modulesAreCurrent(root: string): boolean;
  recordCommit(root: string): void;
  judgeMissing(missing: { label: string; packages: string[]; withoutIt?: string }[], line: string): void;
}

async function load(name: string): Promise<SetUp> {
  return (await import(pathToFileURL(join(projectRoot, 'scripts', 'setup', name)).href)) as SetUp;
}

t.test('an old Node is refused with what to do', async (t) => {
  const { checkNodeVersion } = await load('node-version.mjs');
  checkNodeVersion(projectRoot, '20.0.0');
  checkNodeVersion(projectRoot, '24.1.0');
  t.throws(() => checkNodeVersion(projectRoot, '18.20.1'), {
    message: /Node >=20 is needed, this is 18\.20\.1.*\n.*Install/,
  });
});

t.test('only what nothing works without stops setup; the rest is a warning', async (t) => {
  const { judgeMissing } = await load('system-packages.mjs');
  const compiler = { label: 'C++ compiler', packages: ['g++'] };
  const openmpi = { label: 'Open MPI', packages: ['openmpi-bin'], withoutIt: 'no run under Open MPI' };
  const mpich = { label: 'MPICH', packages: ['mpich'], withoutIt: 'no run under MPICH' };
  judgeMissing([], 'x');
  judgeMissing([openmpi], 'x');
  t.throws(() => judgeMissing([compiler], 'sudo apt-get install -y g++'), {
    message: /C\+\+ compiler[^]*sudo apt-get install -y g\+\+/,
  });
  t.throws(() => judgeMissing([openmpi, mpich], 'x'), { message: /Open MPI, MPICH/ }, 'one MPI is needed');
});

t.test('node_modules is current only while it holds what the lock asks for', async (t) => {
  const { modulesAreCurrent } = await load('node-modules.mjs');
  const lock = (version: string): string =>
    JSON.stringify({
      packages: {
        '': {},
        'node_modules/a': { version, integrity: `sum of ${version}` },
        'node_modules/for-another-system': { version: '1.0.0', integrity: 'x', optional: true },
      },
    });
  await withTempDir((folder) => {
    writeFileSync(join(folder, 'package-lock.json'), lock('1.0.0'));
    t.equal(modulesAreCurrent(folder), false, 'nothing installed');
    mkdirSync(join(folder, 'node_modules'));
    const installed = { packages: { 'node_modules/a': { version: '1.0.0', integrity: 'sum of 1.0.0' } } };
    writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify(installed));
    t.equal(modulesAreCurrent(folder), true);
    writeFileSync(join(folder, 'package-lock.json'), lock('1.0.1'));
    t.equal(modulesAreCurrent(folder), false, 'another version is asked for');
  });
});

t.test('without apt rights the exact line is printed, and the exit status is 3', async (t) => {
  await withTempDir(async (folder) => {
    // A machine that has Node and a shell, and neither compiler nor apt nor sudo.
    symlinkSync(process.execPath, join(folder, 'node'));
    const env = { PATH: folder };
    const script = `
      const { ensureSystemPackages } = await import(${JSON.stringify(join(projectRoot, 'scripts/setup/system-packages.mjs'))});
      try { ensureSystemPackages('run'); } catch (error) { console.error(error.message); process.exitCode = 3; }`;
    const ended = await run(process.execPath, ['--input-type=module', '-e', script], { env });
    t.equal(ended.status, 3);
    t.match(ended.stderr, /missing on this machine: C\+\+ compiler, CMake, pkg-config/);
    t.match(
      ended.stderr,
      /^ {4}sudo apt-get install -y g\+\+ make cmake ninja-build pkg-config liburing-dev .*mpich/m,
    );
  });
});

t.test('packages are installed by apt where that is allowed, and looked for again', async (t) => {
  await withTempDir(async (folder) => {
    // Stand-ins that write down how they were called; the fake apt-get brings the fake program.
    const tool = (name: string, body: string): void => {
      writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
      chmodSync(join(folder, name), 0o755);
    };
    tool('sudo', 'shift; exec "$@"');
    const programs = ['g++', 'make', 'cmake', 'ninja', 'pkg-config', 'mpirun.openmpi', 'mpirun.mpich'];
    const bring = programs.map((name) => `ln -sf /bin/true "${folder}/${name}"`).join('; ');
    tool('apt-get', `echo "$*" >>"${folder}/calls"; ${bring}`);
    for (const name of ['sh', 'env', 'ln']) symlinkSync(`/bin/${name}`, join(folder, name));
    const script = `
      const { ensureSystemPackages } = await import(${JSON.stringify(join(projectRoot, 'scripts/setup/system-packages.mjs'))});
      ensureSystemPackages('run');
      ensureSystemPackages('run');`;
    const ended = await run(process.execPath, ['--input-type=module', '-e', script], {
      env: { PATH: folder },
    });
    t.equal(ended.status, 0, ended.stderr);
    const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
    t.equal(
      calls.filter((line) => /^install -y -q .*g\+\+ .*libopenmpi-dev/.test(line)).length,
      1,
      calls.join(),
    );
    t.match(ended.stderr, /setup: installing \d+ system packages: g\+\+/);
  });
});

t.test(
  'a build knows its commit, and whether the sources differed',
  { skip: needsProgram('git', 'git') },
  async (t) => {
    const { recordCommit } = await load('commit.mjs');
    await withTempDir(async (folder) => {
      const file = join(folder, 'dist', 'commit.json');
      const recorded = (): string => {
        recordCommit(folder);
        return (JSON.parse(readFileSync(file, 'utf8')) as { commit: string }).commit;
      };
      const git = async (...args: string[]): Promise<string> => {
        const identity = ['-c', 'user.name=x', '-c', 'user.email=x@example.org'];
        const ended = await run('git', [...identity, '-C', folder, ...args]);
        t.equal(ended.status, 0, ended.stderr);
        return ended.stdout.trim();
      };
      for (const name of ['dist', 'runner', 'docs']) mkdirSync(join(folder, name));
      writeFileSync(file, '{"commit":"of an earlier build"}');
      recordCommit(folder);
      t.notOk(existsSync(file), 'an archive has none, nor keeps an old one');
      await git('init', '-q');
      recordCommit(folder);
      t.notOk(existsSync(file), 'a repository without a commit neither');
      writeFileSync(join(folder, 'runner', 'a.ts'), '1');
      await git('add', 'runner');
      await git('commit', '-q', '-m', 'x');
      const head = await git('rev-parse', 'HEAD');
      t.equal(recorded(), head);
      writeFileSync(join(folder, 'docs', 'a.md'), 'a document makes no other build');
      t.equal(recorded(), head);
      writeFileSync(join(folder, 'runner', 'b.ts'), 'a new file does');
      t.equal(recorded(), `${head}+changes`);
      // Another owner's folder is refused by Git; the build goes on without.
      writeFileSync(join(folder, '.git', 'config'), 'not a configuration');
      recordCommit(folder);
      t.notOk(existsSync(file));
    });
  },
);

t.test('what tests need of this machine is what setup installs', async (t) => {
  const listed = readFileSync(join(projectRoot, 'scripts', 'setup', 'system-packages.mjs'), 'utf8');
  const asked = sourcesBelow(['test'], /\.ts$/).flatMap(({ text }) => [
    ...text.matchAll(/needsProgram\('([^']+)', '([^']+)'\)/g),
  ]);
  t.ok(asked.length > 10, `${asked.length} programs are asked for`);
  for (const [, program = '', packages = ''] of asked) {
    if (program === 'compute-sanitizer') continue; // of use only on a GPU
    for (const word of [program, ...packages.split(' ')]) t.match(listed, `'${word}'`, program);
  }
});
