/** docs/bench/coverage.json: what share of runner/ and jobs/ the test suite executes, when and at which commit. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const METRICS = ['statements', 'branches', 'functions'] as const;
type Metric = (typeof METRICS)[number];
export type Counts = Readonly<Record<Metric, { readonly covered: number; readonly total: number }>>;

export interface CoverageRecord {
  /** UTC, YYYY-MM-DD. */
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  /** By folder of two levels: runner/engine. */
  readonly folders: Readonly<Record<string, Counts>>;
}

export const COVERAGE_RECORD = join('docs', 'bench', 'coverage.json');

export function readCoverageRecord(root: string): CoverageRecord {
  return JSON.parse(readFileSync(join(root, COVERAGE_RECORD), 'utf8')) as CoverageRecord;
}

/** runner/engine/points.ts -> runner/engine; runner/log.ts -> runner */
function folderOf(sourcePath: string): string {
  return sourcePath.split('/').slice(0, -1).slice(0, 2).join('/');
}

/** Sums files into their folders, in the order of the folders' names. */
export function byFolder(files: Readonly<Record<string, Counts>>): Record<string, Counts> {
  const folders: Record<string, Counts> = {};
  for (const path of Object.keys(files).sort()) {
    const counts = files[path] as Counts;
    const folder = folderOf(path);
    const sofar = folders[folder];
    folders[folder] = sofar ? addCounts([sofar, counts]) : addCounts([counts]);
  }
  return folders;
}

function addCounts(all: readonly Counts[]): Counts {
  const sum = (metric: Metric, key: 'covered' | 'total'): number =>
    all.reduce((total, counts) => total + counts[metric][key], 0);
  const of = (metric: Metric) => ({ covered: sum(metric, 'covered'), total: sum(metric, 'total') });
  return { statements: of('statements'), branches: of('branches'), functions: of('functions') };
}

/** "93.4 %"; a folder without branches has none to miss. */
function percent({ covered, total }: { readonly covered: number; readonly total: number }): string {
  return total === 0 ? '' : `${((100 * covered) / total).toFixed(1)} %`;
}

/** A row for each folder and one for all of them: name and percentages in the order of METRICS. */
export function coverageRows({ folders }: CoverageRecord): string[][] {
  const row = (name: string, counts: Counts): string[] => [
    name,
    ...METRICS.map((metric) => percent(counts[metric])),
  ];
  return [
    ...Object.entries(folders).map(([name, counts]) => row(name, counts)),
    row('all', addCounts(Object.values(folders))),
  ];
}
