/** Takes a run's summary.csv into docs/bench, where it has no manifest next to it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { canonicalJson } from '../../runner/job-spec/canonical.js';
import { parseManifest } from '../../runner/run-folder/manifest-reader.js';
import { identifyingKeys } from '../../runner/run-folder/point-identity.js';
import { summaryRows } from './row.js';

/** The rows as written, but for `params`: every key that identifies the point, as the tables need them. */
export function keepSummary(runFolder: string, target: string): void {
  const path = join(runFolder, 'manifest.json');
  const { points } = parseManifest(path, readFileSync(path, 'utf8'));
  const widened = summaryRows(runFolder).map((row) => {
    const point = points[Number(row['point'])];
    return point ? { ...row, params: canonicalJson(identifyingKeys(point.spec)) } : row;
  });
  writeFileSync(target, stringify(widened, { header: true }));
}
