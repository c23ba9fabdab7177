/** docs/environment.md names every environment variable that the code reads. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { nativeSources, typescriptSources, type Source } from './sources.js';

/** Read with a literal name: process.env['X'], variables['X'], env.X, getenv("X"); and every name of our own. */
const READS =
  /\b(?:process\.env|variables|values)(?:\.|\[')([A-Z][A-Z0-9_]{2,})|getenv\("([A-Z][A-Z0-9_]+)"|['"`](RAILRUNNER_[A-Z_]+|DYN_KVBM_[A-Z_]+|MSCCLPP_EP_[A-Z_]+)\b/g;
/** Between a test and the stand-in library that it builds. */
const BETWEEN_TESTS = /^RAILRUNNER_TEST_(RANK|MPI|WHEN|PLUGIN)$/;

/** Tests also look at variables of the system; of those only our own are anybody's business. */
function namesRead({ path, text }: Source): string[] {
  const names = [...text.matchAll(READS)].map(([, read, native, own]) => read ?? native ?? own ?? '');
  return path.startsWith('test/') ? names.filter((name) => name.startsWith('RAILRUNNER_')) : names;
}

/** "`PMI_*`" stands for every name that begins so. */
function isNamed(page: string, name: string): boolean {
  if (page.includes(`\`${name}\``)) return true;
  return [...page.matchAll(/`([A-Z][A-Z_]*_)\*`/g)].some(([, prefix = '']) => name.startsWith(prefix));
}

function missing(page: string, sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    namesRead(source)
      .filter((name) => !BETWEEN_TESTS.test(name) && !isNamed(page, name))
      .map((name) => `${source.path}: ${name} is not on docs/environment.md: add it there`),
  );
}

const page = readFileSync(join(projectRoot, 'docs', 'environment.md'), 'utf8');
const sources = [...typescriptSources(), ...nativeSources()].filter(
  ({ path }) => path !== 'test/rules/environment.test.ts',
);

t.test('every variable that the code reads is documented', async (t) => {
  t.ok(sources.flatMap(namesRead).length > 40, 'the rule sees reads');
  t.same([...new Set(missing(page, sources))], []);
});

t.test('a variable that nobody documented is found', async (t) => {
  const planted = [
    `const depth = process.env['RAILRUNNER_DEPTH'];`,
    `variables['FOO_SIZE']`,
    `std::getenv("BAR_PATH")`,
    `{ name: 'DYN_KVBM_NEW_KNOB', key: 'x' }`,
  ].map((text, index) => ({ path: `planted-${index}.ts`, text }));
  t.equal(missing(page, planted).length, planted.length);
});
