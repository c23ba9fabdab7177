/** What must hold of rows of dispatch and combine that have a peak, on whatever device. */
import type { Test } from 'tap';
import type { CsvRow } from './results.js';

/** Equal as far as the digits that rows are written with go. */
export function isAbout(t: Test, found: number, wanted: number, what: string): void {
  t.ok(wanted > 0 && Math.abs(found - wanted) <= 1e-4 * wanted, `${what}: ${found}, expected ${wanted}`);
}

/** pct_of_peak from the row's other columns: the share of the time that its bytes need at the least. */
export function requireConsistent(t: Test, row: CsvRow, source: string): void {
  const place = `rank ${row['rank']} ${row['phase']}`;
  t.match(row, { status: 'ok', wrong: '0', peak_source: source }, place);
  const [payload, peak, time] = ['payload_bytes', 'peak_GBps', 't_p50_us'].map((name) => Number(row[name]));
  const floorUs = (payload as number) / (peak as number) / 1000;
  isAbout(t, Number(row['pct_of_peak']), (100 * floorUs) / (time as number), `${place} pct_of_peak`);
}
