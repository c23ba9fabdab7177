import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EXIT, ERROR_CATALOGUE } from '../../runner/errors.js';
import { projectRoot } from '../../runner/project.js';
import { nativeSources, typescriptSources } from './sources.js';

function native(file: string): string {
  return readFileSync(join(projectRoot, 'native', 'core', file), 'utf8');
}

/** kBlockIds -> E_BLOCK_IDS */
function codeOf(enumerator: string): string {
  return `E${enumerator
    .slice(1)
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase()}`;
}

const enumerators = [...native('error.h').matchAll(/^\s+(k[A-Z]\w*),/gm)].map((match) => match[1] ?? '');

t.test('native codes are codes of the catalogue, spelled alike', async (t) => {
  t.ok(enumerators.length > 10);
  const spelled = [...native('error.cc').matchAll(/case ErrorCode::(\w+):\s*return "(\w+)"/g)];
  t.same(
    spelled.map((match) => match[1]).sort(),
    [...enumerators].sort(),
    'native/core/error.cc names each code of error.h once',
  );
  for (const [, enumerator = '', code = ''] of spelled) {
    t.equal(code, codeOf(enumerator), `${enumerator} is written E_..., word by word`);
    t.ok(Object.hasOwn(ERROR_CATALOGUE, code), `${code}: add it to runner/errors.ts`);
  }
});

t.test('every code that the code names is in the catalogue', async (t) => {
  const unknown: string[] = [];
  for (const { path, text } of [...typescriptSources(), ...nativeSources()]) {
    if (path.startsWith('test/')) continue;
    for (const [, code = ''] of text.matchAll(/['"](E_[A-Z_]+)['"]/g)) {
      if (!Object.hasOwn(ERROR_CATALOGUE, code)) unknown.push(`${path}: ${code}: add it to runner/errors.ts`);
    }
  }
  t.same(unknown, []);
});

t.test('every entry has a meaning and an exit status of the table', async (t) => {
  const statuses = Object.values(EXIT) as number[];
  for (const [code, { exit, meaning }] of Object.entries(ERROR_CATALOGUE)) {
    t.ok(statuses.includes(exit) && meaning.length > 5, code);
  }
});
