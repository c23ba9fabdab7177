/** One relocatable archive: unpack it on a cluster without Node or network and run bin/railrunner under its mpirun. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildCommit, projectRoot } from '../../runner/project.js';
import { gpuSourcesDigest } from '../bench/gpu-sources.js';
import { isEverywhere, neededLibraries, newestNeeded, searchesFolders } from './objects.js';
import { layOut } from './parts.js';
import { addTests } from './test-parts.js';

const LIMIT_MB = 45;
/** Fast, and far below the limit: level 6 takes four times as long for a tenth less. */
const XZ = 'xz -2 -T0';

function print(line: string): void {
  writeSync(1, `${line}\n`);
}

/** What would tie the bundle to the machine that built it; MPI plug-ins may need their MPI and its parts. */
function tiesToThisMachine(objects: readonly string[]): string[] {
  return objects.flatMap((path) => {
    const name = basename(path);
    const ties: string[] = searchesFolders(path) ? [`${name} has an rpath: build it without`] : [];
    if (name.startsWith('railrunner_mpi_')) return ties;
    const foreign = neededLibraries(path).filter((library) => !isEverywhere(library));
    if (foreign.length > 0) {
      const remedy = name === 'node' ? "run npm run bundle with nodejs.org's Node" : 'open it at run time';
      ties.push(`${name} needs ${foreign.join(', ')}: ${remedy}`);
    }
    return ties;
  });
}

function pack(folder: string): string {
  const archive = `${folder}.tar.xz`;
  const owner = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name'];
  const inside = ['-C', resolve(folder, '..'), basename(folder)];
  execFileSync('tar', [...owner, `--use-compress-program=${XZ}`, '-cf', archive, ...inside], { stdio: 'inherit' });
  return archive;
}

/**
 * Returns the exit status. `--out DIR` (default bundle/), `--no-archive` leaves the folder alone, `--with-tests` adds
 * the tests that need GPUs.
 */
export async function bundle(args: readonly string[]): Promise<number> {
  const options = { out: { type: 'string' }, 'no-archive': { type: 'boolean' }, 'with-tests': { type: 'boolean' } } as const;
  const { values } = parseArgs({ args: [...args], options });
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
  const out = resolve(values.out ?? join(projectRoot, 'bundle'));
  const folder = join(out, `railrunner-${version}-${process.platform}-${process.arch}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const objects = layOut(projectRoot, folder);
  if (values['with-tests']) objects.push(...addTests(projectRoot, folder));
  const ties = tiesToThisMachine(objects);
  if (ties.length > 0) {
    print(`bundle: it would not run elsewhere:\n  ${ties.join('\n  ')}`);
    return 3;
  }
  const facts = {
    version,
    commit: buildCommit(),
    gpuSources: gpuSourcesDigest(projectRoot),
    node: process.version,
    glibc: newestNeeded('GLIBC', objects),
    glibcxx: newestNeeded('GLIBCXX', objects),
    native: objects.slice(1).map((path) => basename(path)),
  };
  writeFileSync(join(folder, 'bundle.json'), `${JSON.stringify(facts, null, 2)}\n`);
  print(`bundle: ${folder}`);
  print(`bundle: runs where glibc is ${facts.glibc} or newer; holds ${facts.native.join(', ')}`);
  if (values['no-archive']) return 0;
  const archive = pack(folder);
  const sizeMb = statSync(archive).size / 1e6;
  print(`bundle: ${archive} (${sizeMb.toFixed(1)} MB)`);
  if (sizeMb <= LIMIT_MB) return 0;
  print(`bundle: larger than ${LIMIT_MB} MB: look for what is not needed to run`);
  return 1;
}
