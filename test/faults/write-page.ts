/** Part of `npm run generate`: writes docs/reliability.md. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import { formatPage } from '../../scripts/generate/pages/pages.js';
import { RELIABILITY_PAGE, reliabilityPage } from './page.js';

writeFileSync(join(projectRoot, RELIABILITY_PAGE), await formatPage(RELIABILITY_PAGE, reliabilityPage()));
process.stdout.write(`wrote ${RELIABILITY_PAGE}\n`);
