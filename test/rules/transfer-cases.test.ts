/** docs/transfer.md lists rules, each with the test that holds it: every test that it names is there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { marked, type Tokens } from 'marked';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';

const FOLDERS = ['native/test/transfer', 'test/jobs/transfer'];
const THE_SAME = 'the same';

/** A formatter cuts long strings of C++ into two. */
const sources = FOLDERS.flatMap((folder) =>
  readdirSync(join(projectRoot, folder)).map((name) => join(folder, name)),
)
  .map((path) => readFileSync(join(projectRoot, path), 'utf8').replaceAll(/"\s*\n\s*"/g, ''))
  .join('\n');

/** `the table of strategies: ...; pairs without one (transfer_units_test.cc)`: names, and where they are in parentheses. */
const casesOf = (cell: string): string[] =>
  cell
    .replaceAll(/\([^)]*\)/g, '')
    .split(';')
    .map((name) => name.trim());

t.test('every test that a rule of transfers names is there', async (t) => {
  const tokens = marked.lexer(readFileSync(join(projectRoot, 'docs/transfer.md'), 'utf8'), { gfm: true });
  const tables = tokens
    .filter((token): token is Tokens.Table => token.type === 'table')
    .filter(({ header }) => header[0]?.text === 'rule');
  const rows = tables.flatMap((table) => table.rows);
  t.equal(tables.length, 4, 'tables of rules');
  t.ok(rows.length >= 30, `${rows.length} rules`);
  for (const [rule, cases] of rows) {
    for (const name of casesOf(cases?.text ?? '')) {
      t.ok(name === THE_SAME || (name !== '' && sources.includes(name)), `${name}: of "${rule?.text}"`);
    }
  }
});
