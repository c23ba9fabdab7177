/** Reading what a run wrote, as its users would. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { readJson } from './json.js';

export type CsvRow = Readonly<Record<string, string>>;

export function readCsv(path: string): CsvRow[] {
  return parse(readFileSync(path, 'utf8'), { columns: true }) as CsvRow[];
}

/** Rows of every rank file of a run, by rank. */
export function readRankRows(folder: string): CsvRow[][] {
  return readdirSync(folder)
    .filter((name) => /^rank-\d+\.csv$/.test(name))
    .sort()
    .map((name) => readCsv(join(folder, name)));
}

export interface ManifestText {
  /** Why the run as a whole ended early; null where it did not. */
  readonly error?: { readonly code: string } | null;
  readonly outcome: string;
  readonly exitStatus: number | null;
  readonly versions: Readonly<Record<string, string | null>>;
  readonly spec: { readonly digest: string; readonly resolved: unknown };
}

/** The manifest of a run that ended by itself; undefined where it did not. */
export function readManifest(folder: string): ManifestText | undefined {
  const path = join(folder, 'manifest.json');
  return existsSync(path) ? readJson<ManifestText>(path) : undefined;
}
