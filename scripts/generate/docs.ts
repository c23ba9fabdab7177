/** `npm run generate`: writes the pages that come from the code. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import { GENERATED_PAGES, renderPage } from './pages/pages.js';

for (const path of Object.keys(GENERATED_PAGES)) {
  const file = join(projectRoot, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, await renderPage(path));
  process.stdout.write(`wrote ${path}\n`);
}
