/** Runs tests with coverage, prints it by folder, and lists what no test executes although nothing says why. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { CoverageResults } from 'monocart-coverage-reports';
import { buildCommit, projectRoot } from '../../runner/project.js';
import { formatPage } from '../generate/pages/pages.js';
import { runAllTests } from '../tests/main.js';
import { readCarried } from './carried.js';
import { byFolder } from './counts.js';
import { COVERAGE_RECORD, coverageRows, type CoverageRecord } from './record.js';
import { CoverageRecorder } from './recorder.js';
import { countByReason, unexecutedOf } from './unexecuted.js';

const FOLDER = 'build-coverage';

const OPTIONS = {
  /** Write docs/bench/coverage.json from all that is recorded. */
  keep: { type: 'boolean', default: false },
  /** Fail where a statement, branch or function has neither a test nor a reason. */
  check: { type: 'boolean', default: false },
  /** Run nothing: look at what earlier calls recorded. */
  recorded: { type: 'boolean', default: false },
  /** A file of scripts/coverage/carry.ts: what tests executed on a machine with GPUs. */
  merge: { type: 'string' },
} as const;

/**
 * `words`: OPTIONS, and parts of file names, which add to what earlier calls recorded; without any, recording starts over.
 * Returns the exit status: that of the tests, or 1 where --check finds what has no reason.
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
  const unexecuted = unexecutedOf(results.files, gpus?.files);
  const record: CoverageRecord = {
    date: new Date().toISOString().slice(0, 10),
    commit: (buildCommit() ?? '').slice(0, 12),
    node: process.version,
    tests: parts.length === 0 && !values.recorded ? 'all tests' : 'in parts',
    folders: byFolder(results.files),
    ...(gpus === undefined ? {} : { withGpus: gpus.record }),
    left: countByReason(unexecuted),
  };
  for (const row of coverageRows(record))
    console.log(row.map((cell, at) => (at === 0 ? cell.padEnd(32) : cell.padStart(8))).join(' '));
  console.log(`each line of each file: ${FOLDER}/report/index.html`);
  const unexplained = unexecuted.filter(({ why }) => why === undefined);
  for (const { path, line, metric, text } of unexplained) {
    console.log(`${path}:${line}: no test executes this, and nothing says why (${metric}): ${text}`);
  }
  console.log(`${unexecuted.length} pieces not executed, ${unexplained.length} of them without a reason`);
  if (values.keep) {
    const text = await formatPage(COVERAGE_RECORD, JSON.stringify(record));
    writeFileSync(join(projectRoot, COVERAGE_RECORD), text);
  }
  return values.check && unexplained.length > 0 ? 1 : status;
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
  return {
    files: results.files,
    record: { date, commit: commit.slice(0, 12), folders: byFolder(results.files) },
  };
}
