/** Rows of one phase on several ranks, and how values are taken out of them. */
import { sumOrUndefined } from '../statistics/across-ranks.js';
import type { CommonColumn } from './columns.js';
import type { Row } from './fields.js';

export interface RankRow {
  readonly rank: number;
  readonly row: Row;
  readonly samplesUs: readonly number[];
  readonly entrySkewUs: readonly number[];
}

/** 0 where the row has no such number: callers compare, and a missing count counts nothing. */
export function numberOf(entry: RankRow, name: CommonColumn): number {
  return optionalNumber(entry, name) ?? 0;
}

export function optionalNumber(entry: RankRow, name: CommonColumn): number | undefined {
  const value = entry.row[name];
  return typeof value === 'number' ? value : undefined;
}

export function numbersOf(group: readonly RankRow[], name: CommonColumn): number[] {
  return group.flatMap((entry) => optionalNumber(entry, name) ?? []);
}

export function valuesOf(group: readonly RankRow[], name: string): (string | number)[] {
  return group.map((entry) => entry.row[name]).filter((value) => value !== undefined);
}

/** Over the ranks that have the value: idle and failed ranks move nothing. */
export function sumPresent(group: readonly RankRow[], name: CommonColumn): number | undefined {
  return sumOrUndefined(numbersOf(group, name));
}

/** Ranks that differ are shown with all their values: "ipc|network". */
export function joinDistinct(values: readonly (string | number)[]): string | number | undefined {
  const distinct = [...new Set(values)];
  return distinct.length <= 1 ? distinct[0] : distinct.join('|');
}

export function valueOfAll(values: readonly (string | number)[]): string | number | undefined {
  return new Set(values).size === 1 ? values[0] : undefined;
}
