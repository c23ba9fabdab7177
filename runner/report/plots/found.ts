/** Where the blocks of requests were found: in which tier, or nowhere. */
import { PLACES_FOUND, type PlaceFound, type ReportRow } from '../model.js';
import { draw, SERIES_COLORS, type Plot } from './draw.js';
import { mostTelling, someOf, type NamedRow } from './row-names.js';

const total = (row: ReportRow): number =>
  PLACES_FOUND.reduce((sum, place) => sum + (row.blocksFound[place] ?? 0), 0);

const share = (row: ReportRow, place: PlaceFound): number =>
  (100 * (row.blocksFound[place] ?? 0)) / Math.max(1, total(row));

export async function foundPlot(rows: readonly ReportRow[]): Promise<Plot | undefined> {
  const looking = rows.filter((row) => row.status === 'ok' && total(row) > 0);
  if (looking.length === 0) return undefined;
  const shown = mostTelling(looking, total);
  const places = PLACES_FOUND.filter((place) => shown.some(({ row }) => (row.blocksFound[place] ?? 0) > 0));
  const range = places.map((place) =>
    place === 'missed' ? 'var(--grid)' : SERIES_COLORS[PLACES_FOUND.indexOf(place)],
  );
  const words = shown.map(
    ({ name, row }) =>
      `${name}: ${places.map((place) => `${place} ${share(row, place).toFixed(1)} %`).join(', ')}`,
  );
  return {
    title: 'Where blocks were found',
    caption: `Share of all blocks of the requests, from the head of each without a gap.${someOf(shown.length, looking.length, 'largest')}`,
    words: `${words.join('; ')}.`,
    svg: await draw({
      data: { values: shown.flatMap((entry) => places.flatMap((place) => barOf(entry, place))) },
      height: { step: 16 },
      mark: { type: 'bar', height: 10, stroke: 'var(--ground)', strokeWidth: 1 },
      encoding: {
        y: { field: 'name', type: 'nominal', title: null, sort: null },
        x: {
          field: 'share',
          type: 'quantitative',
          title: null,
          scale: { domain: [0, 100] },
          axis: { labelExpr: "datum.value + ' %'", tickCount: 5 },
        },
        color: { field: 'place', type: 'nominal', sort: places, scale: { domain: places, range } },
        order: { field: 'at', type: 'quantitative' },
        description: { field: 'tip' },
      },
    }),
  };
}

function barOf({ name, row }: NamedRow, place: PlaceFound): object[] {
  const blocks = row.blocksFound[place] ?? 0;
  if (blocks === 0) return [];
  const tip = `${name}; ${place}: ${share(row, place).toFixed(2)} %, ${blocks.toLocaleString('en-US')} of ${total(row).toLocaleString('en-US')} blocks`;
  return [{ name, share: share(row, place), place, at: PLACES_FOUND.indexOf(place), tip }];
}
