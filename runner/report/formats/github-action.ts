/**
 * github-action-benchmark, tools `customSmallerIsBetter` (times) and `customBiggerIsBetter` (bandwidths): a list of
 * entries. The action has no word for a failure either; it fails on an empty list, so a report in which nothing was
 * measured does not pass there.
 */
import type { KeyFigures, OverRuns } from '../repeats.js';
import type { OutputFile, ReportFormat } from './format.js';

interface Entry {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly range?: string;
  readonly extra: string;
}

export const githubActionFormat: ReportFormat = {
  write: (_report, figures) => [
    fileOf('github-action-smaller.json', figures, 'us', (figure) => figure.p50Us),
    fileOf('github-action-bigger.json', figures, 'GB/s', (figure) => figure.totalGBps),
  ],
};

function fileOf(
  name: string,
  figures: readonly KeyFigures[],
  unit: string,
  pick: (figure: KeyFigures) => OverRuns | undefined,
): OutputFile {
  const entries = figures.flatMap((figure): Entry[] => {
    const over = pick(figure);
    return over === undefined ? [] : [{ name: figure.name, unit, value: over.median, ...more(figure, over) }];
  });
  return { name, text: `${JSON.stringify(entries, null, 2)}\n` };
}

function more(figure: KeyFigures, over: OverRuns): Pick<Entry, 'range' | 'extra'> {
  const extra = `status ${figure.status}\nseries ${figure.key.series}\nruns ${over.count} of ${figure.numRuns}`;
  return over.count === 1 ? { extra } : { range: `${over.min} to ${over.max}`, extra };
}
