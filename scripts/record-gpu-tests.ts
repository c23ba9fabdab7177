/** node dist/scripts/record-gpu-tests.js FOLDER: keeps a run of GPU tests, wherever it was made. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../runner/project.js';
import { formatPage } from './generate/pages/pages.js';
import { GPU_RECORD, joinRecords, readGpuRecord, recordOfFolder } from './tests/gpu-record.js';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('expected FOLDER: what npm run test:gpu -- --out FOLDER filled');
const record = joinRecords(readGpuRecord(projectRoot), recordOfFolder(folder));
writeFileSync(join(projectRoot, GPU_RECORD), await formatPage(GPU_RECORD, JSON.stringify(record)));
