/** A against B: the ratio of each judged key with its bounds. */
import type { Comparison } from '../model.js';
import { WORDS, type Word } from '../../compare/verdict.js';
import { ratioText } from '../numbers.js';
import { draw, WIDE, type Plot } from './draw.js';
import { firstOf } from '../../values/items.js';

const MOST_KEYS = 40;

/** The same in every report; where one is grey, nothing was seen to change. */
const COLOR_OF_WORD: Readonly<Record<Word, string>> = {
  regressed: 'var(--s2)',
  failed: 'var(--bad)',
  missing: 'var(--bad)',
  'too noisy': 'var(--s5)',
  improved: 'var(--s3)',
  new: 'var(--s1)',
  equal: 'var(--s7)',
};

export async function comparisonPlot(comparison: Comparison): Promise<Plot | undefined> {
  const judged = comparison.judged.flatMap((entry) => {
    const { ratio } = entry;
    return ratio !== undefined && ratio > 0 ? [{ ...entry, ratio }] : [];
  });
  if (judged.length === 0) return undefined;
  const kept = judged.slice(0, MOST_KEYS);
  const words = WORDS.filter((word) => judged.some((entry) => entry.word === word));
  const values = kept.map((entry) => ({
    ...entry,
    low: entry.ratioLow ?? entry.ratio,
    high: entry.ratioHigh ?? entry.ratio,
    tip: `${entry.key}; ${entry.word}; ${ratioText(entry.ratio)}`,
  }));
  const y = { field: 'key', type: 'nominal', title: null, sort: null, axis: { labelLimit: 440 } };
  const scale = { type: 'log', zero: false, nice: false, padding: 12 };
  const axis = {
    title: `change of the median time, B against A`,
    values: ticksOf(values),
    labelOverlap: 'greedy',
    labelExpr: "format(100 * (datum.value - 1), '+.2~r') + ' %'",
  };
  const color = {
    field: 'word',
    type: 'nominal',
    sort: words,
    scale: { domain: words, range: words.map((word) => COLOR_OF_WORD[word]) },
    legend: { columns: words.length },
  };
  const first = firstOf(kept);
  const some =
    kept.length < judged.length ? ` The first ${kept.length} keys of ${judged.length}, worst first.` : '';
  return {
    title: 'A against B',
    caption: `Right of the dashed line the candidate is slower. ${comparison.bounds}${some}`,
    words: `${comparison.summary} First: ${first.key}, ${ratioText(first.ratio)}, ${first.word}.`,
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
            shape: { field: 'word', type: 'nominal', sort: words },
            description: { field: 'tip' },
          },
        },
      ],
    }),
  };
}

/** Round changes within the range of the plot: a logarithmic axis of so few percent would have none. */
function ticksOf(values: readonly { readonly low: number; readonly high: number }[]): number[] {
  const least = Math.min(...values.map(({ low }) => low), 1);
  const most = Math.max(...values.map(({ high }) => high), 1);
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
