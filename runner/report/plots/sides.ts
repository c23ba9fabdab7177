/** A against B, run by run: where single runs of the two sides lie, so that overlap and modes are seen. */
import type { Comparison, Judged, SideTimes } from '../model.js';
import { changeText, timeText } from '../numbers.js';
import { medianOfSorted } from '../repeats.js';
import { draw, WIDE, type Plot } from './draw.js';

const MOST_KEYS = 20;
const SIDES = ['A', 'B'] as const;

/** Undefined if the runs are not available. */
export async function sidesPlot(comparison: Comparison): Promise<Plot | undefined> {
  const all = comparison.judged.flatMap((entry) => {
    const times = comparison.times.get(entry.key);
    return times && times.baseline.length > 0 && times.candidate.length > 0 ? [{ entry, times }] : [];
  });
  if (all.length === 0) return undefined;
  const shown = all.slice(0, MOST_KEYS);
  const some =
    shown.length < all.length ? ` The first ${shown.length} keys of ${all.length}, worst first.` : '';
  const overlapping = all.filter(({ times }) => overlap(times)).length;
  const y = { field: 'key', type: 'nominal', title: null, sort: null, axis: { labelLimit: 440 } };
  return {
    title: 'Runs of A and of B',
    caption: `Each mark is the median time of one run, against the median of A. Circles: ${comparison.baseline}. Squares: ${comparison.candidate}.${some}`,
    words: `The runs of A and B overlap in ${overlapping} of ${all.length} keys.`,
    svg: await draw({
      width: WIDE,
      height: { step: 26 },
      data: { values: shown.flatMap(({ entry, times }) => marksOf(entry, times)) },
      encoding: { y },
      layer: [
        {
          data: { values: [{ zero: 0 }] },
          mark: { type: 'rule', color: 'var(--limit)', strokeDash: [5, 4], aria: false },
          encoding: { x: { field: 'zero', type: 'quantitative' }, y: null },
        },
        {
          mark: { type: 'point', size: 45, opacity: 0.85, strokeWidth: 1.6 },
          encoding: {
            x: {
              field: 'change',
              type: 'quantitative',
              scale: { zero: false },
              axis: { title: 'time against the median of A', labelExpr: "format(datum.value, '+~r') + ' %'" },
            },
            yOffset: { field: 'side', type: 'nominal', sort: SIDES },
            color: {
              field: 'side',
              type: 'nominal',
              sort: SIDES,
              scale: { domain: SIDES, range: ['var(--s1)', 'var(--s2)'] },
              legend: { columns: 2 },
            },
            shape: { field: 'side', type: 'nominal', sort: SIDES },
            description: { field: 'tip' },
          },
        },
      ],
    }),
  };
}

function marksOf({ key, word }: Judged, { baseline, candidate }: SideTimes) {
  const median = medianOfSorted(baseline.toSorted((a, b) => a - b));
  const mark = (side: (typeof SIDES)[number], us: number, run: number) => {
    const change = 100 * (us / median - 1);
    return {
      key,
      side,
      change,
      tip: `${key}; ${word}; run ${run + 1} of ${side}; ${timeText(us)}, ${changeText(change)}`,
    };
  };
  return [
    ...baseline.map((us, run) => mark('A', us, run)),
    ...candidate.map((us, run) => mark('B', us, run)),
  ];
}

function overlap({ baseline, candidate }: SideTimes): boolean {
  return Math.min(...baseline) <= Math.max(...candidate) && Math.min(...candidate) <= Math.max(...baseline);
}
