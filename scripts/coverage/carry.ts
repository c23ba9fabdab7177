/**
 * node dist/scripts/coverage/carry.js RAW_FOLDER FILE: keeps what NODE_V8_COVERAGE=RAW_FOLDER recorded on this machine, for
 * `npm run coverage -- --merge FILE` on another. Runs in a bundle too.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildCommit, projectRoot } from '../../runner/project.js';
import { carriedModules, packCarried } from './carried.js';

const [rawFolder, file] = process.argv.slice(2);
if (rawFolder === undefined || file === undefined) throw new Error('expected RAW_FOLDER FILE');
const modules = carriedModules(rawFolder, join(projectRoot, 'dist'));
const numModules = Object.keys(modules).length;
if (numModules === 0) {
  throw new Error(
    `${rawFolder}: expected coverage of modules of dist/runner and dist/jobs, received none: were they run packed?`,
  );
}
const date = new Date().toISOString().slice(0, 10);
const packed = packCarried({ date, commit: buildCommit() ?? '', modules });
writeFileSync(file, packed);
console.log(`${file}: ${numModules} modules, ${packed.length} bytes`);
