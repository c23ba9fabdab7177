/**
 * Bencher Metric Format: benchmark -> measure -> value with bounds (bencher.dev/docs/reference/bencher-metric-format).
 * The format has no word for a failure, and a benchmark that is absent raises no alert there: so each benchmark has the
 * measure `failed`, 0 or 1, on which a threshold of 0.5 can be set.
 */
import { isBad } from '../model.js';
import type { KeyFigures, OverRuns } from '../repeats.js';
import type { ReportFormat } from './format.js';

interface Metric {
  readonly value: number;
  readonly lower_value?: number;
  readonly upper_value?: number;
}

export const bencherFormat: ReportFormat = {
  write: (_report, figures) => {
    const benchmarks = Object.fromEntries(figures.map((figure) => [figure.name, measuresOf(figure)]));
    return [{ name: 'bencher.json', text: `${JSON.stringify(benchmarks, null, 2)}\n` }];
  },
};

function measuresOf(figure: KeyFigures): Record<string, Metric> {
  const measures: [string, Metric | undefined][] = [
    ['time-p50-us', metricOf(figure.p50Us)],
    ['bandwidth-gbps', metricOf(figure.totalGBps)],
    ['pct-of-peak', metricOf(figure.pctOfPeak)],
    ['failed', { value: isBad(figure.status) ? 1 : 0 }],
  ];
  return Object.fromEntries(measures.filter((entry): entry is [string, Metric] => entry[1] !== undefined));
}

/** Bounds: the extremes over runs. One run has none. */
function metricOf(figure: OverRuns | undefined): Metric | undefined {
  if (figure === undefined) return undefined;
  if (figure.count === 1) return { value: figure.median };
  return { value: figure.median, lower_value: figure.min, upper_value: figure.max };
}
