/** Lays the bundle's folder out: what a rank needs to run, and nothing that only building or testing needs. */
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PACKED_FOLDER, packModules } from './packed.js';

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

/** bin/railrunner takes Node from PATH; the bundle has its own, wherever it lies and through whatever links it was reached. */
const NODE_FROM_PATH = 'exec node ';
const NODE_OF_BUNDLE = 'exec "$(dirname "$(readlink -f "$0")")/../runtime/node" ';

/** Folders of node_modules that running needs, as paths relative to the root. */
export function productionPackages(root: string): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && !entry.dev && !entry.devOptional)
    .map(([path]) => path);
}

function isNeededOfPackage(path: string): boolean {
  // Folders of the package itself only: deeper ones of these names hold code (yaml/dist/doc).
  return !/\.(map|d\.[cm]?ts|tsbuildinfo)$|^\/(test|tests|docs?|benchmarks?|examples?|\.github)$/.test(path);
}

function copyPackages(root: string, folder: string): void {
  for (const path of productionPackages(root)) {
    const inside = join(root, path);
    // A package's own nested packages have entries of their own.
    const filter = (source: string): boolean =>
      source === inside || (!source.endsWith('/node_modules') && isNeededOfPackage(source.slice(inside.length)));
    cpSync(inside, join(folder, path), { recursive: true, dereference: true, filter });
  }
}

function copyCompiled(root: string, folder: string): void {
  for (const part of ['runner', 'jobs']) {
    const filter = (source: string): boolean => !/\.(map|d\.ts)$/.test(source);
    cpSync(join(root, 'dist', part), join(folder, 'dist', part), { recursive: true, filter });
  }
  const commit = join('dist', 'commit.json');
  if (existsSync(join(root, commit))) copyFileSync(join(root, commit), join(folder, commit));
  // The benchmark runs where the GPUs are; its tables are made where the page is.
  const filter = (source: string): boolean => !/\.map$|tables\.js$/.test(source);
  const bench = join('dist', 'scripts', 'bench');
  cpSync(join(root, bench), join(folder, bench), { recursive: true, filter });
}

/** The addon and one plug-in for each MPI that was there at build time. */
function copyNative(root: string, folder: string): string[] {
  const release = join(root, 'build', 'Release');
  const names = readdirSync(release).filter((name) => /^railrunner.*\.(node|so)$/.test(name));
  mkdirSync(join(folder, 'native'));
  for (const name of names) copyFileSync(join(release, name), join(folder, 'native', name));
  return names;
}

function copyNodeRuntime(folder: string): string {
  const target = join(folder, 'runtime', 'node');
  mkdirSync(dirname(target));
  copyFileSync(process.execPath, target);
  chmodSync(target, 0o755);
  const prefix = join(dirname(process.execPath), '..');
  const licences = [join(prefix, 'LICENSE'), join(prefix, 'share', 'doc', 'nodejs', 'copyright')];
  const licence = licences.find((path) => existsSync(path));
  if (licence) copyFileSync(licence, join(folder, 'runtime', 'LICENSE'));
  return target;
}

function writeLauncher(root: string, folder: string): void {
  const target = join(folder, 'bin', 'railrunner');
  mkdirSync(dirname(target));
  const own = readFileSync(join(root, 'bin', 'railrunner'), 'utf8');
  if (!own.includes(NODE_FROM_PATH)) throw new Error(`bin/railrunner: expected a line with "${NODE_FROM_PATH}"`);
  const packed = own.replaceAll("'../dist/", `'../${PACKED_FOLDER}/`);
  writeFileSync(target, packed.replace(NODE_FROM_PATH, NODE_OF_BUNDLE), { mode: 0o755 });
}

const TEXTS = ['LICENSE', 'README.md', 'CHANGELOG.md', 'docs', 'configs', 'results/README.md'];
/** Read by the program, at its place among the sources. */
const DATA = ['jobs/kv/models/presets.json', 'jobs/kv/models/class-defaults.json'];

/** Fills the empty `folder`; returns the paths of everything in it that the loader loads. */
export function layOut(root: string, folder: string): string[] {
  const full = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  const kept = ['name', 'version', 'description', 'license', 'type'].map((key) => [key, full[key]]);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`);
  for (const name of TEXTS) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  for (const name of DATA) cpSync(join(root, name), join(folder, name));
  writeLauncher(root, folder);
  copyCompiled(root, folder);
  packModules(root, folder);
  copyPackages(root, folder);
  const node = copyNodeRuntime(folder);
  return [node, ...copyNative(root, folder).map((name) => join(folder, 'native', name))];
}
