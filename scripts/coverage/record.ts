/** docs/bench/coverage.json: what share of runner/ and jobs/ the test suite executes, when and at which commit. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Left } from './left.js';

export const METRICS = ['statements', 'branches', 'functions'] as const;
type Metric = (typeof METRICS)[number];
interface Count {
  readonly covered: number;
  readonly total: number;
}
export type Counts = Readonly<Record<Metric, Count>>;

export interface CoverageRecord {
  /** UTC, YYYY-MM-DD. */
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  /** Which tests, in words: `all tests`. */
  readonly tests: string;
  /** By folder of two levels: runner/engine. */
  readonly folders: Folders;
  /** The same with what tests executed on a machine with GPUs. */
  readonly withGpus?: { readonly date: string; readonly commit: string; readonly folders: Folders };
  /** Statements that no test executes without GPUs. */
  readonly left: Left;
  /** Of the branches never taken, those that are a literal behind `??`. */
  readonly numFallbacks: number;
}

/** Counts by name of folder. */
export type Folders = Readonly<Record<string, Counts>>;

export const COVERAGE_RECORD = join('docs', 'bench', 'coverage.json');

export function readCoverageRecord(root: string): CoverageRecord {
  return JSON.parse(readFileSync(join(root, COVERAGE_RECORD), 'utf8')) as CoverageRecord;
}

/** runner/engine/points.ts -> runner/engine; runner/log.ts -> runner */
function folderOf(sourcePath: string): string {
  return sourcePath.split('/').slice(0, -1).slice(0, 2).join('/');
}

/** Sums files into their folders, in the order of the folders' names. */
export function byFolder(files: Readonly<Record<string, Counts>>): Folders {
  const folders: Record<string, Counts> = {};
  for (const path of Object.keys(files).sort()) {
    const counts = files[path] as Counts;
    const folder = folderOf(path);
    const sofar = folders[folder];
    folders[folder] = sofar ? addCounts([sofar, counts]) : addCounts([counts]);
  }
  return folders;
}

export function addCounts(all: readonly Counts[]): Counts {
  const sum = (metric: Metric, key: 'covered' | 'total'): number =>
    all.reduce((total, counts) => total + counts[metric][key], 0);
  const of = (metric: Metric) => ({ covered: sum(metric, 'covered'), total: sum(metric, 'total') });
  return { statements: of('statements'), branches: of('branches'), functions: of('functions') };
}

/** "93.4 %"; a folder without branches has none to miss. */
function percent(count: Count): string {
  return count.total === 0 ? '' : `${share(count).toFixed(1)} %`;
}

/** A row for each folder and one for all of them: name and percentages in the order of METRICS, then those with GPUs. */
export function coverageRows({ folders, withGpus }: CoverageRecord): string[][] {
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

/**
 * Which of two runs reaches a line may differ (which rank is first, where a signal strikes): a folder of hundreds of
 * statements has a few of these.
 */
const TOLERATED_POINTS = 0.5;

/** What fell below the record, a sentence each; a folder that the record does not know counts from its next one on. */
export function fallsBelow(measured: Folders, record: CoverageRecord): string[] {
  return Object.entries(record.folders).flatMap(([name, known]) => {
    const counts = measured[name];
    if (counts === undefined) return [];
    return METRICS.filter((metric) => share(counts[metric]) < share(known[metric]) - TOLERATED_POINTS).map(
      (metric) =>
        `${name}: ${percent(counts[metric])} of ${metric}, ${percent(known[metric])} expected (${COVERAGE_RECORD})`,
    );
  });
}

/** In percent. */
function share({ covered, total }: Count): number {
  return total === 0 ? 100 : (100 * covered) / total;
}
