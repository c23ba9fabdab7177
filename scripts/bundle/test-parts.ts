/** What a bundle carries besides with `--with-tests`: the tests that need GPUs, and what these need. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the bundle, and of nothing else, that holds built native test programs. */
export const carriedPrograms = 'native-tests';

const PROGRAMS = ['cuda_copy_test', 'cuda_transfer_test', 'cuda_groups_test', 'cuda_peers_test', 'cuda_rank_transfer_test', 'cuda_link_bench', 'moe_cuda_test', 'cuda_high_throughput_test', 'cuda_nccl_bench', 'replicated_test'];
const PARTS_OF_DIST = ['test/cuda', 'test/helpers', 'scripts/bundle', 'scripts/tests', 'scripts/coverage/carry.js', 'scripts/coverage/carried.js'];
const PACKAGES_OF_TESTS = ['tap', 'csv-parse/sync'];

/** Folders of node_modules, as paths relative to the root, that a test really loads: tap itself needs far more. */
export function packagesLoadedByTests(root: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'railrunner-loaded-'));
  try {
    const imports = PACKAGES_OF_TESTS.map((name) => `await import('${name}');`).join('');
    const test = "const { default: t } = await import('tap'); t.test('x', async (t) => t.match({ a: t.testdir() }, {}));";
    // What a test runner set for its own children is left out.
    const own = Object.entries(process.env).filter(([name]) => !/^(_TAPJS|TAP|NODE_OPTIONS)/.test(name));
    const env = { ...Object.fromEntries(own), NODE_V8_COVERAGE: folder };
    execFileSync(process.execPath, ['--input-type=module', '-e', imports + test], { cwd: root, env, stdio: 'ignore' });
    const urls = readdirSync(folder).flatMap((name) => {
      const report = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { result: { url: string }[] };
      return report.result.map(({ url }) => url);
    });
    const packages = urls.flatMap((url) => {
      if (!url.startsWith('file:')) return [];
      const [, path] = /(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(fileURLToPath(url)) ?? [];
      return path === undefined ? [] : [path];
    });
    return [...new Set(packages)].sort();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function copyPrograms(root: string, folder: string): string[] {
  const build = join(root, 'build'); // the addon's own
  execFileSync('cmake', ['--build', build, '-j', '2', '--target', ...PROGRAMS], { stdio: 'inherit' });
  mkdirSync(join(folder, carriedPrograms));
  return PROGRAMS.map((name) => {
    const target = join(folder, carriedPrograms, name);
    copyFileSync(join(build, 'Release', name), target);
    return target;
  });
}

/** Adds the tests to a bundle's folder; returns the paths of what the loader loads. */
export function addTests(root: string, folder: string): string[] {
  for (const part of PARTS_OF_DIST) {
    const filter = (source: string): boolean => !/\.(map|d\.ts)$/.test(source);
    cpSync(join(root, 'dist', part), join(folder, 'dist', part), { recursive: true, filter });
  }
  for (const path of packagesLoadedByTests(root)) {
    const inside = join(root, path);
    const filter = (source: string): boolean =>
      !/\.(map|d\.[cm]?ts)$/.test(source) && !source.slice(inside.length).includes('/node_modules');
    cpSync(inside, join(folder, path), { recursive: true, dereference: true, filter });
  }
  return copyPrograms(root, folder);
}
