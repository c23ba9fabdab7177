import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { needsProgram } from '../helpers/require.js';

function json(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(projectRoot, name), 'utf8')) as Record<string, unknown>;
}

t.test('package-lock.json names versions and checksums, and no address', async (t) => {
  const lock = json('package-lock.json') as {
    packages: Record<string, { resolved?: string; integrity?: string }>;
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

/** What every Linux with glibc has; all else is opened at run time, with an error that says what is missing. */
const EVERYWHERE = /^(libc|libm|libgcc_s|libstdc\+\+|ld-linux[\w-]*|libdl|libpthread|librt)\.so/;

function dynamicSection(path: string): string {
  return execFileSync('readelf', ['-d', path], { encoding: 'utf8' });
}

function neededBy(path: string): string[] {
  return [...dynamicSection(path).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1] ?? '');
}

t.test(
  'the addon needs the C and C++ run-time alone',
  { skip: needsProgram('readelf', 'binutils') },
  async (t) => {
    const needed = neededBy(join(projectRoot, 'build', 'Release', 'railrunner.node'));
    t.ok(needed.length > 0);
    t.same(
      needed.filter((library) => !EVERYWHERE.test(library)),
      [],
      'open the library at run time (dlopen), where it is needed, and say what is missing',
    );
    t.notOk(EVERYWHERE.test('libmpi.so.40'));
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
      t.notMatch(dynamicSection(join(folder, name)), /RPATH|RUNPATH/, `${name}: build without an rpath`);
    }
  },
);
