/** A against B: the ratio of each judged key with its bounds. */
import type { Comparison, Judged } from '../model.js';
import { threeDigits } from '../numbers.js';
import { draw, SERIES_COLORS, WIDE, type Plot } from './draw.js';

const MOST_KEYS = 40;

const distance = (entry: Judged): number => Math.abs(Math.log(entry.ratio as number));

export async function comparisonPlot(comparison: Comparison): Promise<Plot | undefined> {
  const judged = comparison.judged.filter((entry) => entry.ratio !== undefined && entry.ratio > 0);
  if (judged.length === 0) return undefined;
  const kept = judged.toSorted((a, b) => distance(b) - distance(a)).slice(0, MOST_KEYS);
  const verdicts = [...new Set(judged.map((entry) => entry.verdict))];
  const percent = (ratio: number): string => `${ratio >= 1 ? '+' : ''}${threeDigits(100 * (ratio - 1))} %`;
  const values = kept.map((entry) => ({
    ...entry,
    low: entry.ratioLow ?? entry.ratio,
    high: entry.ratioHigh ?? entry.ratio,
    tip: `${entry.key}; ${entry.verdict}; ${percent(entry.ratio as number)}`,
  }));
  const y = { field: 'key', type: 'nominal', title: null, sort: null, axis: { labelLimit: 440 } };
  const scale = { type: 'log', zero: false, nice: false, padding: 12 };
  const axis = {
    title: `change of time, ${comparison.candidate} against ${comparison.baseline}`,
    values: ticksOf(values),
    labelOverlap: 'greedy',
    labelExpr: "format(100 * (datum.value - 1), '+.2~r') + ' %'",
  };
  const color = {
    field: 'verdict',
    type: 'nominal',
    sort: verdicts,
    scale: { domain: verdicts, range: SERIES_COLORS.slice(0, verdicts.length) },
  };
  const farthest = kept[0] as Judged;
  const some =
    kept.length < judged.length ? ` The ${kept.length} keys farthest from 1 of ${judged.length}.` : '';
  return {
    title: 'A against B',
    caption: `Right of the dashed line the candidate is slower. ${comparison.bounds}${some}`,
    words: `${comparison.summary} Farthest from 1: ${farthest.key}, ${percent(farthest.ratio as number)}, ${farthest.verdict}.`,
    svg: await draw({
      data: { values },
      width: WIDE,
      height: { step: 16 },
      encoding: { y },
      layer: [
        {
          data: { values: [{ one: 1 }] },
          mark: { type: 'rule', color: 'var(--limit)', strokeDash: [5, 4], aria: false },
          encoding: { x: { field: 'one', type: 'quantitative' }, y: null },
        },
        {
          mark: { type: 'rule', aria: false },
          encoding: { x: { field: 'low', type: 'quantitative', scale, axis }, x2: { field: 'high' }, color },
        },
        {
          mark: { type: 'point', filled: true, size: 55, opacity: 1 },
          encoding: {
            x: { field: 'ratio', type: 'quantitative', scale, axis },
            color,
            shape: { field: 'verdict', type: 'nominal', sort: verdicts },
            description: { field: 'tip' },
          },
        },
      ],
    }),
  };
}

/** Round changes within the range of the plot: a logarithmic axis of so few percent would have none. */
function ticksOf(
  values: readonly { readonly low: number | undefined; readonly high: number | undefined }[],
): number[] {
  const least = Math.min(...values.map(({ low }) => low ?? 1), 1);
  const most = Math.max(...values.map(({ high }) => high ?? 1), 1);
  const apart = Math.log(most / least) / MOST_TICKS;
  return ROUND_CHANGES_PCT.map((percent) => 1 + percent / 100).filter(
    (ratio) => ratio >= least && ratio <= most && (ratio === 1 || Math.abs(Math.log(ratio)) >= apart),
  );
}

const MOST_TICKS = 14;
const ROUND_CHANGES_PCT = [
  -99, -90, -75, -50, -30, -20, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 30, 50, 75, 100, 200, 400,
  900, 9900,
];
