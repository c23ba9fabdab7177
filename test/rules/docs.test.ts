import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { GENERATED_PAGES, renderPage } from '../../scripts/generate/pages/pages.js';

for (const path of Object.keys(GENERATED_PAGES)) {
  t.test(`${path} is what the code says`, async (t) => {
    const expected = await renderPage(path);
    t.equal(
      readFileSync(join(projectRoot, path), 'utf8'),
      expected,
      'run `npm run generate` and commit the page',
    );
  });
}
