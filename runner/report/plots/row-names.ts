/** Which rows a plot with one bar for each row shows, and how it calls them. */
import { pointName } from '../headline.js';
import type { ReportRow } from '../model.js';

/** More bars than this cannot be read. */
const MOST_BARS = 24;

export interface NamedRow<Row extends ReportRow = ReportRow> {
  readonly name: string;
  readonly row: Row;
}

/** The rows of largest `weight`, in the order of the spec, with names that differ. */
export function mostTelling<Row extends ReportRow>(
  rows: readonly Row[],
  weight: (row: Row) => number,
): NamedRow<Row>[] {
  const kept = new Set(rows.toSorted((a, b) => weight(b) - weight(a)).slice(0, MOST_BARS));
  return named(rows.filter((row) => kept.has(row)));
}

export function named<Row extends ReportRow>(rows: readonly Row[]): NamedRow<Row>[] {
  const phases = new Set(rows.map((row) => phaseName(row)));
  return rows.map((row) => {
    const phase = phases.size > 1 ? ` ${phaseName(row)}` : '';
    return { name: `${pointName(row)}${phase}`, row };
  });
}

export function phaseName({ phase, timing, direction }: ReportRow): string {
  return [phase, timing === 'host' ? '' : timing, direction].filter((part) => part !== '').join(' ');
}

export function someOf(shown: number, all: number, which: string): string {
  return shown < all ? ` The ${shown} ${which} of ${all} rows; the table has all.` : '';
}
