/** The values of a row: how they are rounded, and what missing means. */
import type { CommonColumn } from './columns.js';

/** Column name -> value. Survives JSON, so that rank 0 can gather rows. */
export type Row = Readonly<Record<string, string | number>>;

/** A row in the making: names of columns only, so that a misspelt one does not compile. */
export type Fields<Name extends string = CommonColumn> = { [Key in Name]?: string | number | undefined };

/** Nanoseconds are what the clocks give. */
export function roundUs(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 1000) / 1000;
}

/** Six significant digits: a slow rate keeps its digits where fixed decimals would print 0. */
export function roundRate(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toPrecision(6));
}

/** A missing value is an absent key, which the CSV writes as an empty field: never 0, never a word. */
export function dropMissing(fields: Fields<string>): Row {
  const row: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined && value !== '') row[name] = value;
  return row;
}
