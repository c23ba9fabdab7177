/** Runs tests with coverage and prints it by folder. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildCommit, projectRoot } from '../../runner/project.js';
import { formatPage } from '../generate/pages/pages.js';
import { runAllTests } from '../tests/main.js';
import { byFolder, COVERAGE_RECORD, coverageRows, type CoverageRecord } from './record.js';
import { CoverageRecorder } from './recorder.js';

const FOLDER = 'build-coverage';
const KEEP = '--keep';

/**
 * `words`: parts of file names, which add to what earlier calls recorded; without any, recording starts over. With
 * --keep docs/bench/coverage.json is written from all that is recorded. Returns the exit status of the tests.
 */
export async function measureCoverage(words: readonly string[]): Promise<number> {
  const parts = words.filter((word) => word !== KEEP);
  const folder = join(projectRoot, FOLDER);
  if (parts.length === 0) rmSync(folder, { recursive: true, force: true });
  const recorder = new CoverageRecorder(projectRoot, folder);
  const status = await runAllTests(parts, recorder);
  const { files } = await recorder.results();
  const record: CoverageRecord = {
    date: new Date().toISOString().slice(0, 10),
    commit: (buildCommit() ?? '').slice(0, 12),
    node: process.version,
    folders: byFolder(Object.fromEntries(files.map(({ sourcePath, summary }) => [sourcePath, summary]))),
  };
  for (const row of coverageRows(record))
    console.log(row.map((cell, at) => (at === 0 ? cell.padEnd(32) : cell.padStart(8))).join(' '));
  console.log(`each line of each file: ${FOLDER}/report/index.html`);
  if (words.includes(KEEP)) {
    const text = await formatPage(COVERAGE_RECORD, JSON.stringify(record));
    writeFileSync(join(projectRoot, COVERAGE_RECORD), text);
  }
  return status;
}
