/** Which path the bytes of an iteration took, as they were issued. */
import { formatBytes } from '../../text/bytes.js';
import { TRANSPORTS, type ReportRow, type Transport } from '../model.js';
import { DECIMAL_BYTES_LABEL, draw, SERIES_COLORS, type Plot } from './draw.js';
import { mostTelling, someOf, type NamedRow } from './row-names.js';

const MEANINGS: Readonly<Record<Transport, string>> = {
  self: 'on the rank',
  ipc: 'mapped memory of peers',
  network: 'network',
  pcie: 'device and host',
  disk: 'disk',
};

const total = (row: ReportRow): number => TRANSPORTS.reduce((sum, name) => sum + (row.bytesBy[name] ?? 0), 0);

export async function transportPlot(rows: readonly ReportRow[]): Promise<Plot | undefined> {
  const moving = rows.filter((row) => row.status === 'ok' && total(row) > 0);
  if (moving.length === 0) return undefined;
  const shown = mostTelling(moving, total);
  const used = TRANSPORTS.filter((name) => shown.some(({ row }) => (row.bytesBy[name] ?? 0) > 0));
  const values = shown.flatMap((entry) => used.flatMap((name) => barOf(entry, name)));
  const domain = used.map((name) => MEANINGS[name]);
  const range = used.map((name) => SERIES_COLORS[TRANSPORTS.indexOf(name)]);
  const sums = used.map((name) => {
    const bytes = shown.reduce((sum, { row }) => sum + (row.bytesBy[name] ?? 0), 0);
    return `${MEANINGS[name]} ${formatBytes(bytes)}`;
  });
  return {
    title: 'Bytes by transport',
    caption: `Bytes issued in one iteration, all ranks.${someOf(shown.length, moving.length, 'largest')}`,
    words: `Over the rows shown: ${sums.join(', ')}.`,
    svg: await draw({
      data: { values },
      height: { step: 16 },
      mark: { type: 'bar', height: 10, stroke: 'var(--ground)', strokeWidth: 1 },
      encoding: {
        y: { field: 'name', type: 'nominal', title: null, sort: null },
        x: {
          field: 'bytes',
          type: 'quantitative',
          title: null,
          axis: { labelExpr: DECIMAL_BYTES_LABEL, tickCount: 5, labelOverlap: true },
        },
        color: { field: 'transport', type: 'nominal', sort: domain, scale: { domain, range } },
        order: { field: 'place', type: 'quantitative' },
        description: { field: 'tip' },
      },
    }),
  };
}

function barOf({ name, row }: NamedRow, transport: Transport): object[] {
  const bytes = row.bytesBy[transport] ?? 0;
  if (bytes === 0) return [];
  const tip = `${name}; ${MEANINGS[transport]}: ${formatBytes(bytes)} of ${formatBytes(total(row))}`;
  return [{ name, bytes, transport: MEANINGS[transport], place: TRANSPORTS.indexOf(transport), tip }];
}
