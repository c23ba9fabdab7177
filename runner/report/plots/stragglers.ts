/** Which rank is slow, and where: a heat map of each rank's median over the median of all ranks. */
import { medianOfSorted } from '../repeats.js';
import type { RankTime, ReportRow } from '../model.js';
import { threeDigits, timeText } from '../numbers.js';
import { draw, type Plot } from './draw.js';
import { named } from './row-names.js';
import { firstOf, itemAt } from '../../values/items.js';

const MOST_ROWS = 40;
/** Of more ranks, neighbours share a column, which shows the slowest of them. */
const MOST_COLUMNS = 128;

interface Line {
  readonly row: ReportRow;
  readonly medianUs: number;
  readonly ranks: readonly { readonly rank: number; readonly p50Us: number; readonly ratio: number }[];
  readonly worst: number;
}

/** Undefined where no row was measured on two ranks. */
export async function stragglerPlot(
  rows: readonly ReportRow[],
  times: ReadonlyMap<string, readonly RankTime[]>,
  worldSize: number,
): Promise<Plot | undefined> {
  const lines = rows
    .map((row) => lineOf(row, times.get(placeOf(row)) ?? []))
    .filter((line) => line !== undefined);
  if (lines.length === 0) return undefined;
  const kept = new Set(lines.toSorted((a, b) => b.worst - a.worst).slice(0, MOST_ROWS));
  const shown = lines.filter((line) => kept.has(line));
  const names = named(shown.map((line) => line.row)).map(({ name }) => name);
  const perColumn = Math.ceil(worldSize / MOST_COLUMNS);
  const values = shown.flatMap((line, at) => cellsOf(line, itemAt(names, at), perColumn));
  const most = Math.max(...shown.map((line) => line.worst));
  const left = shown.length < lines.length ? ` The ${shown.length} most uneven of ${lines.length} rows.` : '';
  const wide = perColumn > 1 ? ` A column is ${perColumn} ranks and shows the slowest.` : '';
  return {
    title: 'Stragglers by rank',
    caption: `Median time of a rank over the median of all ranks in the same row; 1 is even.${left}${wide}`,
    words: inWords(shown, names),
    svg: await draw({
      data: { values },
      height: { step: 14 },
      mark: { type: 'rect' },
      encoding: {
        x: { field: 'rank', type: 'ordinal', title: 'rank', axis: { labelOverlap: true, labelAngle: 0 } },
        y: { field: 'name', type: 'nominal', title: null, sort: null },
        color: {
          field: 'ratio',
          type: 'quantitative',
          scale: { scheme: 'cividis', domain: [1, Math.max(1.1, most)], clamp: true },
          legend: { title: 'times the median', gradientLength: 120, direction: 'horizontal', format: '.2~f' },
        },
        description: { field: 'tip' },
      },
    }),
  };
}

export function placeOf(row: Pick<RankTime, 'point' | 'phase' | 'timing' | 'direction'>): string {
  return `${row.point}\u0000${row.phase}\u0000${row.timing}\u0000${row.direction}`;
}

function lineOf(row: ReportRow, times: readonly RankTime[]): Line | undefined {
  const sorted = times.map((time) => time.p50Us).toSorted((a, b) => a - b);
  if (sorted.length < 2) return undefined;
  const medianUs = medianOfSorted(sorted);
  if (medianUs <= 0) return undefined;
  const ranks = times.map(({ rank, p50Us }) => ({ rank, p50Us, ratio: p50Us / medianUs }));
  return { row, medianUs, ranks, worst: Math.max(...ranks.map((entry) => entry.ratio)) };
}

function cellsOf(line: Line, name: string, perColumn: number): object[] {
  const columns = new Map<number, Line['ranks'][number]>();
  for (const entry of line.ranks) {
    const column = Math.floor(entry.rank / perColumn);
    const other = columns.get(column);
    if (other === undefined || entry.ratio > other.ratio) columns.set(column, entry);
  }
  return [...columns].map(([column, { rank, p50Us, ratio }]) => ({
    rank: column * perColumn,
    name,
    ratio,
    tip: `rank ${rank}; ${name}; ${timeText(p50Us)}, ${threeDigits(ratio)} times the median`,
  }));
}

function inWords(lines: readonly Line[], names: readonly string[]): string {
  const order = lines
    .map((line, at) => ({ line, name: itemAt(names, at) }))
    .toSorted((a, b) => b.line.worst - a.line.worst);
  const said = order.slice(0, 3).map(({ line, name }) => {
    const slowest = firstOf(line.ranks.toSorted((a, b) => b.ratio - a.ratio));
    return `${name}: rank ${slowest.rank} took ${threeDigits(slowest.ratio)} times the median`;
  });
  return `Most uneven: ${said.join('; ')}.`;
}
