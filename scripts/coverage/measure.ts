/** Runs tests with coverage, prints it by folder, and compares it with what docs/bench/coverage.json states. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { CoverageResults } from 'monocart-coverage-reports';
import { buildCommit, projectRoot } from '../../runner/project.js';
import { formatPage } from '../generate/pages/pages.js';
import { runAllTests } from '../tests/main.js';
import { readCarried } from './carried.js';
import { fallbacksIn, leftOf } from './left.js';
import { LEFT_REASONS } from './left-reasons.js';
import {
  byFolder,
  COVERAGE_RECORD,
  coverageRows,
  fallsBelow,
  readCoverageRecord,
  type CoverageRecord,
  type Folders,
} from './record.js';
import { CoverageRecorder } from './recorder.js';

const FOLDER = 'build-coverage';

const OPTIONS = {
  /** Write docs/bench/coverage.json from all that is recorded. */
  keep: { type: 'boolean', default: false },
  /** Fail where a folder is below what docs/bench/coverage.json states. */
  check: { type: 'boolean', default: false },
  /** Run nothing: look at what earlier calls recorded. */
  recorded: { type: 'boolean', default: false },
  /** A file of scripts/coverage/carry.ts: what tests executed on a machine with GPUs. */
  merge: { type: 'string' },
} as const;

/**
 * `words`: OPTIONS, and parts of file names, which add to what earlier calls recorded; without any, recording starts over.
 * Returns the exit status: that of the tests, or 1 where --check finds less than is stated.
 */
export async function measureCoverage(words: readonly string[]): Promise<number> {
  const { values, positionals: parts } = parseArgs({
    args: [...words],
    options: OPTIONS,
    allowPositionals: true,
  });
  const folder = join(projectRoot, FOLDER);
  if (parts.length === 0 && !values.recorded) rmSync(folder, { recursive: true, force: true });
  const recorder = new CoverageRecorder(projectRoot, folder);
  const status = values.recorded ? 0 : await runAllTests(parts, recorder);
  const results = await recorder.results();
  const gpus = values.merge === undefined ? undefined : await withCarried(recorder, values.merge);
  const record: CoverageRecord = {
    date: new Date().toISOString().slice(0, 10),
    commit: (buildCommit() ?? '').slice(0, 12),
    node: process.version,
    tests: parts.length === 0 && !values.recorded ? 'all tests' : 'in parts',
    folders: foldersOf(results),
    ...(gpus === undefined ? {} : { withGpus: gpus.record }),
    left: leftOf(results.files, gpus?.files ?? [], LEFT_REASONS),
    numFallbacks: fallbacksIn(results.files),
  };
  for (const row of coverageRows(record))
    console.log(row.map((cell, at) => (at === 0 ? cell.padEnd(32) : cell.padStart(8))).join(' '));
  console.log(`each line of each file: ${FOLDER}/report/index.html`);
  for (const [why, files] of Object.entries(record.left)) {
    console.log(`${Object.values(files).reduce((sum, count) => sum + count, 0)} statements left: ${why}`);
  }
  const below = values.check ? fallsBelow(record.folders, readCoverageRecord(projectRoot)) : [];
  for (const line of below) console.log(`less covered than stated: ${line}`);
  if (values.keep) {
    const text = await formatPage(COVERAGE_RECORD, JSON.stringify(record));
    writeFileSync(join(projectRoot, COVERAGE_RECORD), text);
  }
  return below.length > 0 ? 1 : status;
}

function foldersOf({ files }: CoverageResults): Folders {
  return byFolder(Object.fromEntries(files.map(({ sourcePath, summary }) => [sourcePath, summary])));
}

async function withCarried(
  recorder: CoverageRecorder,
  file: string,
): Promise<{ files: CoverageResults['files']; record: NonNullable<CoverageRecord['withGpus']> }> {
  const carried = readCarried(file);
  const { results, changed } = await recorder.resultsWith(carried);
  if (changed.length > 0) {
    console.log(`not counted, for they changed since commit ${carried.commit}: ${changed.join(' ')}`);
  }
  const { date, commit } = carried;
  return { files: results.files, record: { date, commit: commit.slice(0, 12), folders: foldersOf(results) } };
}
