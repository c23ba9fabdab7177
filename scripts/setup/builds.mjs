/** Compiles TypeScript to dist/ and the addon to build/, each only when something it is made of has changed. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { SetupFailure, say, tail } from './say.mjs';

/** @returns {string[]} files below `folder`, sorted, as paths relative to root */
export function filesBelow(/** @type {string} */ root, /** @type {string} */ folder) {
  const top = join(root, folder);
  if (!existsSync(top)) return [];
  if (statSync(top).isFile()) return [folder];
  return readdirSync(top, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** Names and contents, so that a checkout that only touches times rebuilds nothing and a deleted file is seen. */
function fingerprint(/** @type {string} */ root, /** @type {string[]} */ files, /** @type {string} */ extra) {
  const hash = createHash('sha256').update(extra);
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/**
 * @param {string} stamp
 * @param {string} digest
 */
function isCurrent(stamp, digest) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
}

/**
 * @param {string} root
 * @param {string} what
 * @param {string[]} command
 */
function build(root, what, command) {
  say(`building ${what}`);
  const [program = '', ...args] = command;
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 28 });
  if (result.status === 0) return;
  const output = result.error ? String(result.error) : `${result.stdout}${result.stderr}`;
  throw new SetupFailure(`${what} did not build (${command.join(' ')}):\n${tail(output, 40)}`);
}

const TS_FOLDERS = ['runner', 'jobs', 'test', 'scripts'];

/** A deleted source must not live on as a compiled test or module. */
function removeOrphans(/** @type {string} */ root) {
  for (const file of filesBelow(root, 'dist')) {
    const source = file.replace(/^dist\//, '').replace(/\.js(\.map)?$/, '.ts');
    if (/\.js(\.map)?$/.test(file) && !existsSync(join(root, source))) rmSync(join(root, file));
  }
}

export function ensureTypeScript(/** @type {string} */ root) {
  const sources = TS_FOLDERS.flatMap((folder) => filesBelow(root, folder)).filter((file) => /\.(ts|json)$/.test(file));
  const digest = fingerprint(root, [...sources, 'tsconfig.json', 'package-lock.json'], '');
  const stamp = join(root, 'dist', '.built');
  if (isCurrent(stamp, digest)) return;
  removeOrphans(root);
  build(root, 'TypeScript', [join(root, 'node_modules', '.bin', 'tsc'), '-p', 'tsconfig.json']);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
}

/** Libraries that the build takes where they are: one more of them means one more part to build. */
function foundLibraries() {
  const modules = ['ompi-c', 'mpich', 'ucx', 'hwloc', 'liburing'];
  const versions = modules.map((name) => {
    const result = spawnSync('pkg-config', ['--modversion', name], { encoding: 'utf8' });
    return `${name}=${result.status === 0 ? result.stdout.trim() : 'none'}`;
  });
  const nvcc = spawnSync('sh', ['-c', 'PATH="${CUDA_HOME:-/usr/local/cuda}/bin:$PATH" nvcc --version'], { encoding: 'utf8' });
  return [...versions, `nvcc=${nvcc.status === 0 ? nvcc.stdout.trim() : 'none'}`].join(' ');
}

/** A build folder configured elsewhere (a moved or copied clone) cannot be used by CMake. */
function dropForeignBuild(/** @type {string} */ root) {
  const cache = join(root, 'build', 'CMakeCache.txt');
  if (!existsSync(cache)) return;
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(readFileSync(cache, 'utf8'))?.[1];
  if (home !== undefined && home !== join(root, 'native')) rmSync(join(root, 'build'), { recursive: true });
}

export function ensureAddon(/** @type {string} */ root) {
  const libraries = foundLibraries();
  const digest = fingerprint(root, [...filesBelow(root, 'native'), 'package.json'], libraries);
  const stamp = join(root, 'build', '.built');
  const addon = join(root, 'build', 'Release', 'railrunner.node');
  if (existsSync(addon) && isCurrent(stamp, digest)) return;
  dropForeignBuild(root);
  const jobs = String(Math.min(availableParallelism(), 16));
  build(root, 'the native addon (about a minute the first time)', [
    ...[join(root, 'node_modules', '.bin', 'cmake-js'), 'build', '-d', 'native', '-O', 'build'],
    ...['--CDCMAKE_BUILD_TYPE=Release', '-p', jobs],
  ]);
  if (!existsSync(addon)) throw new SetupFailure(`the build ended well, but ${addon} is not there`);
  writeFileSync(stamp, digest);
}
