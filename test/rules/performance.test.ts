/** The page's tables are those of the committed CSV files: no figure is typed by hand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { fillTables } from '../../scripts/bench/tables.js';

const page = readFileSync(join(projectRoot, 'docs', 'performance.md'), 'utf8');
const bench = join(projectRoot, 'docs', 'bench');

t.test('tables = CSV', async (t) => {
  t.equal(fillTables(page, bench), page, 'mend it with: npm run bench, or fillTables over the page');
  t.ok((page.match(/<!-- table /g) ?? []).length >= 5);
});

t.test('a figure changed by hand is seen', async (t) => {
  const forged = page.replace(/\| 0\.9\d\d of/, '| 1.000 of');
  t.not(forged, page);
  t.not(fillTables(forged, bench), forged);
});
