/** Bandwidth over size, a line for each series, with the limits that were probed in the same run. */
import { formatBytes } from '../../text/bytes.js';
import { sweptText } from '../../results/params.js';
import { groupBy } from '../group-by.js';
import { pointName } from '../headline.js';
import type { ReportRow } from '../model.js';
import { threeDigits } from '../numbers.js';
import { phaseName } from './row-names.js';
import { draw, MOST_SERIES, SERIES_COLORS, type Plot, type PlotSpec } from './draw.js';
import { firstOf, lastOf } from '../../values/items.js';
import { parseJsonObject } from '../../values/json.js';

interface Measured extends ReportRow {
  readonly payloadBytes: number;
  readonly totalGBps: number;
}

interface Series {
  readonly name: string;
  readonly rows: readonly Measured[];
}

const isMeasured = (row: ReportRow): row is Measured =>
  row.status === 'ok' &&
  row.payloadBytes !== undefined &&
  row.payloadBytes > 0 &&
  row.totalGBps !== undefined;

/** Undefined where no row has a bandwidth. */
export async function bandwidthPlot(rows: readonly ReportRow[]): Promise<Plot | undefined> {
  const measured = rows.filter(isMeasured);
  if (measured.length === 0) return undefined;
  const all = seriesOf(measured);
  const shown = all.toSorted((a, b) => bestOf(b) - bestOf(a)).slice(0, MOST_SERIES);
  const sources = [...new Set(measured.map((row) => row.peakSource).filter((source) => source !== ''))];
  const limit =
    sources.length > 0
      ? `Dashed: the limit probed in the same run (${sources.join(', ')}).`
      : 'No limit was probed.';
  const left = all.length - shown.length;
  const some = left > 0 ? ` The ${shown.length} fastest of ${all.length} series; the table has all.` : '';
  return {
    title: oneSize(shown) ? 'Bandwidth' : 'Bandwidth over size',
    caption: `Payload of all ranks over the median completion time. ${limit}${some}`,
    words: `${shown.map(inWords).join('; ')}.`,
    svg: await draw(
      oneSize(shown) ? barSpec(shown) : { height: 230, layer: [...lineLayers(shown), limitLayer(shown)] },
    ),
  };
}

const bestOf = ({ rows }: Series): number => Math.max(...rows.map((row) => row.totalGBps));

function inWords({ name, rows }: Series): string {
  const [first, last] = [firstOf(rows), lastOf(rows)];
  const best = firstOf(rows.toSorted((a, b) => b.totalGBps - a.totalGBps));
  const range =
    rows.length === 1
      ? ''
      : ` from ${threeDigits(first.totalGBps)} GB/s at ${formatBytes(first.payloadBytes)} to ${threeDigits(last.totalGBps)} GB/s at ${formatBytes(last.payloadBytes)},`;
  const peak = best.peakGBps === undefined ? '' : `, the limit there is ${threeDigits(best.peakGBps)} GB/s`;
  return `${name}:${range} at most ${threeDigits(best.totalGBps)} GB/s at ${formatBytes(best.payloadBytes)}${peak}`;
}

/** Rows that differ in nothing but what changes the payload are one line. */
function seriesOf(rows: readonly Measured[]): Series[] {
  const sizeKeys = keysThatSetTheSize(rows);
  const severalPhases = new Set(rows.map(phaseName)).size > 1;
  const groups = groupBy(rows, (row) => {
    const swept = parseJsonObject(row.params);
    const kept = Object.entries(swept).filter(([key]) => !sizeKeys.has(key));
    const values = sweptText(Object.fromEntries(kept));
    const phase = severalPhases || values === '' ? phaseName(row) : '';
    return [phase, values].filter((part) => part !== '').join(' ');
  });
  return [...groups].map(([name, group]) => ({
    name,
    rows: group.toSorted((a, b) => a.payloadBytes - b.payloadBytes),
  }));
}

/** Swept keys that change the payload by themselves, such as `blocks`; `strategy` does not. */
function keysThatSetTheSize(rows: readonly Measured[]): Set<string> {
  const found = new Set<string>();
  const seen = new Map<string, number>();
  for (const row of rows) {
    const swept = parseJsonObject(row.params);
    for (const [key, value] of Object.entries(swept)) {
      // A line over names, such as types of data, would mean nothing.
      if (typeof value !== 'number') continue;
      const others = JSON.stringify([
        key,
        row.phase,
        row.timing,
        row.direction,
        Object.entries(swept).filter(([name]) => name !== key),
      ]);
      const before = seen.get(others);
      if (before === undefined) seen.set(others, row.payloadBytes);
      else if (before !== row.payloadBytes) found.add(key);
    }
  }
  return found;
}

/** Sizes are sums of blocks and seldom powers of two, so the ticks are the measured ones. */
function sizeAxis(sizes: readonly number[]): object {
  const distinct = [...new Set(sizes)].toSorted((a, b) => a - b);
  const step = Math.ceil(distinct.length / MOST_TICKS);
  return {
    title: 'payload of one iteration, all ranks',
    values: distinct.filter((_, at) => at % step === 0),
    labelExpr: SIZE_LABEL,
    labelOverlap: true,
  };
}

const MOST_TICKS = 8;
const SIZE_LABEL = ['GiB', 'MiB', 'KiB'].reduceRight((rest, unit, at) => {
  const bytes = 2 ** (30 - 10 * at);
  return `datum.value >= ${bytes} ? format(datum.value / ${bytes}, '.3~r') + ' ${unit}' : ${rest}`;
}, "datum.value + ' B'");

function lineLayers(shown: readonly Series[]): object[] {
  const values = shown.flatMap(({ name, rows }) =>
    rows.map((row) => ({
      size: row.payloadBytes,
      GBps: row.totalGBps,
      series: name,
      tip: tipOf(name, row),
    })),
  );
  const names = shown.map(({ name }) => name);
  const encoding = {
    x: {
      field: 'size',
      type: 'quantitative',
      scale: { type: 'log', base: 2, nice: false },
      axis: sizeAxis(values.map((value) => value.size)),
    },
    y: { field: 'GBps', type: 'quantitative', title: 'GB/s', scale: { zero: true } },
    color: {
      field: 'series',
      type: 'nominal',
      sort: names,
      scale: { domain: names, range: SERIES_COLORS.slice(0, names.length) },
    },
  };
  const point = {
    ...encoding,
    shape: { field: 'series', type: 'nominal', sort: names },
    description: { field: 'tip' },
  };
  return [
    { data: { values }, mark: { type: 'line', strokeWidth: 1.5, aria: false }, encoding },
    { data: { values }, mark: { type: 'point', filled: true, size: 45, opacity: 1 }, encoding: point },
  ];
}

/** A dashed line for each series: its limit was probed with its own ranks, direction and bytes. */
function limitLayer(shown: readonly Series[]): object {
  return {
    data: { values: limitValues(shown) },
    mark: { type: 'line', color: 'var(--limit)', strokeDash: [5, 4], aria: false },
    encoding: {
      x: { field: 'size', type: 'quantitative' },
      y: { field: 'GBps', type: 'quantitative', aggregate: 'max' },
      detail: { field: 'series' },
    },
  };
}

function limitValues(shown: readonly Series[]): object[] {
  return shown.flatMap(({ name, rows }) =>
    rows.flatMap((row) =>
      row.peakGBps === undefined ? [] : [{ size: row.payloadBytes, GBps: row.peakGBps, series: name }],
    ),
  );
}

/** No series has a second size, so there is no line to draw. */
const oneSize = (shown: readonly Series[]): boolean =>
  shown.every(({ rows }) => new Set(rows.map((row) => row.payloadBytes)).size === 1);

/** Where no series has a line, a bar for each series, with its limit as a dashed tick. */
function barSpec(shown: readonly Series[]): PlotSpec {
  const values = shown.map(({ name, rows }) => {
    const row = firstOf(rows);
    return { series: name, GBps: row.totalGBps, tip: tipOf(name, row) };
  });
  const y = { field: 'series', type: 'nominal', title: null, sort: null };
  const x = { field: 'GBps', type: 'quantitative', title: 'GB/s' };
  return {
    height: { step: 20 },
    layer: [
      {
        data: { values },
        mark: { type: 'bar', color: 'var(--s1)', height: 11 },
        encoding: { y, x, description: { field: 'tip' } },
      },
      {
        data: { values: limitValues(shown) },
        mark: {
          type: 'tick',
          color: 'var(--limit)',
          thickness: 2,
          size: 17,
          strokeDash: [4, 3],
          aria: false,
        },
        encoding: { y, x },
      },
    ],
  };
}

function tipOf(name: string, row: Measured): string {
  const share = row.pctOfPeak === undefined ? '' : `; ${threeDigits(row.pctOfPeak)} % of peak`;
  return `${name}; ${pointName(row)}; ${formatBytes(row.payloadBytes)}; ${threeDigits(row.totalGBps)} GB/s${share}`;
}
