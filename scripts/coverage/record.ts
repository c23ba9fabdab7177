/** docs/bench/coverage.json: what share of runner/ and jobs/ the test suite executes, when and at which commit. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addCounts, METRICS, percent, type Counts, type Folders } from './counts.js';
import type { Left } from './unexecuted.js';

export interface CoverageRecord {
  /** UTC, YYYY-MM-DD. */
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  /** Which tests, in words: `all tests`. */
  readonly tests: string;
  readonly folders: Folders;
  /** The same with what tests executed on a machine with GPUs. */
  readonly withGpus?: { readonly date: string; readonly commit: string; readonly folders: Folders };
  /** What no test executes without GPUs, by reason. */
  readonly left: Left;
}

export const COVERAGE_RECORD = join('docs', 'bench', 'coverage.json');

export function readCoverageRecord(root: string): CoverageRecord {
  return JSON.parse(readFileSync(join(root, COVERAGE_RECORD), 'utf8')) as CoverageRecord;
}

/** A row for each folder and one for all of them: name and percentages in the order of METRICS, then those with GPUs. */
export function coverageRows({
  folders,
  withGpus,
}: Pick<CoverageRecord, 'folders' | 'withGpus'>): string[][] {
  const row = (name: string, ...counts: (Counts | undefined)[]): string[] => [
    name,
    ...counts.flatMap((each) => METRICS.map((metric) => (each ? percent(each[metric]) : ''))),
  ];
  const columns = withGpus ? [folders, withGpus.folders] : [folders];
  return [
    ...Object.keys(folders).map((name) => row(name, ...columns.map((each) => each[name]))),
    row('all', ...columns.map((each) => addCounts(Object.values(each)))),
  ];
}
