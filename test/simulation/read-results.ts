/** What a simulated run left behind, as its users would find it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { readJson } from '../helpers/json.js';
import type { CsvRow } from '../helpers/results.js';
import { RUN_ID } from './setup.js';
import type { Outcome } from './simulation.js';

export interface SimulatedManifest {
  readonly outcome: string;
  readonly exitStatus: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly statusCounts: readonly Readonly<Record<string, number>>[];
}

export interface RankFile {
  readonly rows: readonly CsvRow[];
  /** It ends in the middle of a row. */
  readonly isTorn: boolean;
  /** Some of the rows were saved elsewhere. */
  readonly isRescued: boolean;
}

export interface Results {
  /** By rank; undefined where the rank made no file. */
  readonly ranks: readonly (RankFile | undefined)[];
  readonly summary: readonly CsvRow[] | undefined;
  readonly manifest: SimulatedManifest | undefined;
}

export function readResults({ folder, ranks }: Outcome): Results {
  const run = join(folder, 'results', RUN_ID);
  const manifest = join(run, 'manifest.json');
  const summary = join(run, 'summary.csv');
  return {
    ranks: ranks.map(({ rank, output }) => {
      const name = `rank-${String(rank).padStart(4, '0')}.csv`;
      return readRankFile(join(run, name), rescuedText(join(folder, 'tmp'), name, output));
    }),
    summary: existsSync(summary) ? wholeRows(readFileSync(summary, 'utf8')).rows : undefined,
    manifest: existsSync(manifest) ? readJson<SimulatedManifest>(manifest) : undefined,
  };
}

function readRankFile(path: string, rescued: string): RankFile | undefined {
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8');
  const { rows, isTorn } = wholeRows(text);
  const header = text.slice(0, text.indexOf('\n') + 1);
  // A write that hung and was saved elsewhere may have got through all the same.
  const known = new Set(rows.map((row) => JSON.stringify(row)));
  const others = wholeRows(header + rescued).rows.filter((row) => !known.has(JSON.stringify(row)));
  return { rows: [...rows, ...others], isTorn, isRescued: rescued !== '' };
}

function wholeRows(text: string): { readonly rows: CsvRow[]; readonly isTorn: boolean } {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const rows = parse(whole, { columns: true, relax_column_count_less: true }) as CsvRow[];
  return { rows, isTorn: whole.length < text.length };
}

/** Rows that did not get into their own file: in a file of their own, or on standard error. */
function rescuedText(folder: string, name: string, output: string): string {
  const file = readdirSync(folder).find((entry) => entry.endsWith(`-${name}`));
  if (file !== undefined) return readFileSync(join(folder, file), 'utf8');
  return new RegExp(`rows that belong to \\S*${name}:\\n([^]*?)end of these rows`).exec(output)?.[1] ?? '';
}
