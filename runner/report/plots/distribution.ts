/** How the completion times of a row are spread: shortest to longest, median to 95th percentile. */
import type { ReportRow } from '../model.js';
import { threeDigits, timeText } from '../numbers.js';
import { draw, TIME_LABEL, type Plot } from './draw.js';
import { mostTelling, someOf } from './row-names.js';
import { firstOf } from '../../values/items.js';

interface TimedRow extends ReportRow {
  readonly p50Us: number;
  readonly maxUs: number;
}

/** A logarithmic axis has no zero; a time of 0 is below the clock's resolution. */
const isTimed = (row: ReportRow): row is TimedRow =>
  row.status === 'ok' && (row.minUs ?? 0) > 0 && row.p50Us !== undefined && row.maxUs !== undefined;

const spread = (row: TimedRow): number => row.maxUs / row.p50Us;

export async function distributionPlot(rows: readonly ReportRow[]): Promise<Plot | undefined> {
  const timed = rows.filter(isTimed);
  if (timed.length === 0) return undefined;
  const shown = mostTelling(timed, spread);
  const widest = firstOf(shown.toSorted((a, b) => spread(b.row) - spread(a.row)));
  const values = shown.map(({ name, row }) => ({
    name,
    min: row.minUs,
    p50: row.p50Us,
    p95: row.p95Us ?? row.maxUs,
    max: row.maxUs,
    tip: `${name}; shortest ${timeText(row.minUs)}; median ${timeText(row.p50Us)}; p95 ${timeText(row.p95Us) || 'too few samples'}; longest ${timeText(row.maxUs)}`,
  }));
  const y = { field: 'name', type: 'nominal', title: null, sort: null };
  const scale = { type: 'log', nice: false };
  const axis = { title: 'completion time', tickCount: 6, labelOverlap: true, labelExpr: TIME_LABEL };
  const x = (field: string): object => ({ field, type: 'quantitative', scale, axis });
  return {
    title: 'Distribution of times',
    caption: `Line: shortest to longest iteration. Bar: median to 95th percentile (to the longest below 20 samples).${someOf(shown.length, timed.length, 'most spread')}`,
    words: `The most spread is ${widest.name}: median ${timeText(widest.row.p50Us)}, longest ${timeText(widest.row.maxUs)}, ${threeDigits(spread(widest.row))} times the median.`,
    svg: await draw({
      data: { values },
      height: { step: 16 },
      encoding: { y },
      layer: [
        {
          mark: { type: 'rule', color: 'var(--s1)', aria: false },
          encoding: { x: x('min'), x2: { field: 'max' } },
        },
        {
          mark: { type: 'bar', color: 'var(--s1)', height: 8 },
          encoding: { x: x('p50'), x2: { field: 'p95' }, description: { field: 'tip' } },
        },
        {
          mark: { type: 'tick', color: 'var(--s2)', thickness: 2, size: 12 },
          encoding: { x: x('p50'), description: { field: 'tip' } },
        },
      ],
    }),
  };
}
