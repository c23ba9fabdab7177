/** How much of the code tests executed: by file, summed by folder. */
import type { CoverageFile } from 'monocart-coverage-reports';

export const METRICS = ['statements', 'branches', 'functions'] as const;
export type Metric = (typeof METRICS)[number];

interface Count {
  readonly covered: number;
  readonly total: number;
}
export type Counts = Readonly<Record<Metric, Count>>;

/** Counts by name of folder. */
export type Folders = Readonly<Record<string, Counts>>;

function countsFrom(count: (metric: Metric) => Count): Counts {
  return { statements: count('statements'), branches: count('branches'), functions: count('functions') };
}

/** Of all that a file holds, whether a comment says why no test executes it or not. */
export function countsOf({ data }: CoverageFile): Counts {
  return countsFrom((metric) => {
    const ranges = data?.[metric] ?? [];
    return { covered: ranges.filter(({ count }) => count > 0).length, total: ranges.length };
  });
}

export function addCounts(all: readonly Counts[]): Counts {
  const sum = (metric: Metric, key: keyof Count): number =>
    all.reduce((total, counts) => total + counts[metric][key], 0);
  return countsFrom((metric) => ({ covered: sum(metric, 'covered'), total: sum(metric, 'total') }));
}

/** Sums files into their folders of two levels (runner/engine/points.ts into runner/engine), in the order of names. */
export function byFolder(files: readonly CoverageFile[]): Folders {
  const folders: Record<string, Counts> = {};
  for (const file of files.toSorted((a, b) => (a.sourcePath < b.sourcePath ? -1 : 1))) {
    const name = file.sourcePath.split('/').slice(0, -1).slice(0, 2).join('/');
    const sofar = folders[name];
    folders[name] = sofar ? addCounts([sofar, countsOf(file)]) : countsOf(file);
  }
  return folders;
}

/** "93.4 %"; a folder without branches has none to miss. */
export function percent({ covered, total }: Count): string {
  return total === 0 ? '' : `${((100 * covered) / total).toFixed(1)} %`;
}
