/** node dist/scripts/record-gpu-tests.js FOLDER COMMIT: keeps a run of GPU tests, in the checkout that was tested. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../runner/project.js';
import { gpuSourcesDigest } from './bench/gpu-sources.js';
import { formatPage } from './generate/pages/pages.js';
import { GPU_RECORD, joinRecords, readGpuRecord, recordOfFolder } from './tests/gpu-record.js';

const [folder, commit] = process.argv.slice(2);
if (folder === undefined || commit === undefined) throw new Error('expected FOLDER COMMIT');
const fresh = recordOfFolder(folder, commit, gpuSourcesDigest(projectRoot));
const record = joinRecords(readGpuRecord(projectRoot), fresh);
writeFileSync(join(projectRoot, GPU_RECORD), await formatPage(GPU_RECORD, JSON.stringify(record)));
