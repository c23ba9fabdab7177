/** docs/reliability.md is that of the records, and each record names a test that is there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { formatPage } from '../../scripts/generate/pages/pages.js';
import { FAULTS } from '../faults/cases/index.js';
import { FAULTS_ELSEWHERE } from '../faults/elsewhere/index.js';
import { RELIABILITY_PAGE, reliabilityPage } from '../faults/page.js';

t.test('the page is that of the records', async (t) => {
  const written = readFileSync(join(projectRoot, RELIABILITY_PAGE), 'utf8');
  t.equal(written, await formatPage(RELIABILITY_PAGE, reliabilityPage()), 'npm run generate writes it');
});

t.test('there are enough faults, and none is told twice', async (t) => {
  const told = [...FAULTS, ...FAULTS_ELSEWHERE].map(({ fault }) => fault);
  t.ok(told.length >= 60, `${told.length} faults`);
  t.equal(new Set(told).size, told.length);
});

t.test('every record names a test that is there', async (t) => {
  for (const { test, title } of FAULTS_ELSEWHERE) {
    const path = join(projectRoot, test);
    const isThere = existsSync(path) && readFileSync(path, 'utf8').includes(title);
    t.ok(isThere, `${test}: ${title}`);
  }
});
