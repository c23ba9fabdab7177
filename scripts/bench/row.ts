/** A row of a benchmark's CSV: column -> cell. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';

export type Row = Readonly<Record<string, string>>;

/** The rows of a run's summary.csv, as written. */
export function summaryRows(runFolder: string): Row[] {
  return parse(readFileSync(join(runFolder, 'summary.csv'), 'utf8'), { columns: true }) as Row[];
}
