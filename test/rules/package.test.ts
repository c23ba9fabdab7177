import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { isEverywhere, neededLibraries, searchesFolders } from '../../scripts/bundle/objects.js';
import { needsProgram } from '../helpers/require.js';
import { readJson } from '../helpers/json.js';

function json(name: string): Record<string, unknown> {
  return readJson<Record<string, unknown>>(join(projectRoot, name));
}

t.test('package-lock.json names versions and checksums, and no address', async (t) => {
  const lock = json('package-lock.json') as {
    packages: Record<
      string,
      { resolved?: string; integrity?: string; optionalDependencies?: Record<string, string> }
    >;
  };
  const addressed = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined);
  t.same(
    addressed.map(([path]) => path),
    [],
    'npm install with omit-lockfile-registry-resolved=true in .npmrc (it is there: run npm install inside the clone)',
  );
  const unchecked = Object.entries(lock.packages).filter(([path, entry]) => path !== '' && !entry.integrity);
  t.same(
    unchecked.map(([path]) => path),
    [],
    'each package has an integrity',
  );
  t.same(
    (lock.packages[''] as Record<string, unknown>)['devDependencies'],
    json('package.json')['devDependencies'],
  );
  t.same(
    (lock.packages[''] as Record<string, unknown>)['dependencies'],
    json('package.json')['dependencies'],
  );
});

t.test('files that scripts and people start are there', async (t) => {
  const { scripts, bin } = json('package.json') as {
    scripts: Record<string, string>;
    bin: Record<string, string>;
  };
  for (const [name, line] of Object.entries(scripts)) {
    for (const [file] of line.matchAll(/\b(?:dist\/)?scripts\/[\w/.-]+/g)) {
      // dist/ holds what tsc made: its source is what must be there.
      const source = file.startsWith('dist/') ? file.slice('dist/'.length).replace(/\.js$/, '.ts') : file;
      t.ok(existsSync(join(projectRoot, source)), `npm run ${name}: ${source}`);
    }
  }
  for (const file of Object.values(bin)) t.ok(existsSync(join(projectRoot, file)), file);
});

t.test(
  'the addon needs only the C and C++ run-time',
  { skip: needsProgram('readelf', 'binutils') },
  async (t) => {
    const needed = neededLibraries(join(projectRoot, 'build', 'Release', 'railrunner.node'));
    t.ok(needed.length > 0);
    t.same(
      needed.filter((library) => !isEverywhere(library)),
      [],
      'open the library at run time (dlopen), where it is needed, and say what is missing',
    );
    t.notOk(isEverywhere('libmpi.so.40'));
  },
);

t.test(
  'nothing native looks for libraries in folders of this machine',
  { skip: needsProgram('readelf', 'binutils') },
  async (t) => {
    const folder = join(projectRoot, 'build', 'Release');
    const objects = readdirSync(folder).filter((name) => /\.(node|so)$/.test(name));
    t.ok(objects.includes('railrunner.node'));
    for (const name of objects) {
      t.notOk(searchesFolders(join(folder, name)), `${name}: build without an rpath`);
    }
  },
);
