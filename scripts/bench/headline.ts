/** A headline figure, and how its cells are written. */
import type { Row } from './row.js';

export interface Headline {
  readonly what: string;
  /** Name of docs/bench/NAME.csv. */
  readonly table: string;
  /** Page under docs/bench that has the whole table. */
  readonly page: string;
  readonly figure: (rows: readonly Row[]) => string;
  /** What it is compared with in the same run, and the ratio. */
  readonly ratio: (rows: readonly Row[]) => string;
}

export const number = (row: Row, column: string): number => Number(row[column]);
export const milliseconds = (row: Row): string => `${(number(row, 't_p50_us') / 1000).toFixed(2)} ms`;
export const microseconds = (row: Row): string => `${number(row, 't_p50_us').toFixed(1)} us`;
export const share = (row: Row): string => (number(row, 'aggregate_pct_of_peak') / 100).toFixed(2);
export const times = (faster: Row, slower: Row): string =>
  `${(number(slower, 't_p50_us') / number(faster, 't_p50_us')).toFixed(2)} x`;
