/** The `params` column: what tells a point from others, independent of the run that it was measured in. */
import { canonicalJson } from '../job-spec/canonical.js';
import type { JsonObject, Point } from '../job-spec/types.js';

/** Keys with a column of their own, or that change how long a run takes to give up rather than what it measures. */
const NOT_IDENTIFYING = new Set([
  'id',
  'kind',
  'warmup',
  'iterations',
  'timeoutSeconds',
  'verify',
  'probe',
  'saveSamples',
  'sweep',
]);

/** Canonical JSON of the point's own keys with its swept values. Equal text = the same series for a tracker. */
export function identifyingParams(point: Point): string {
  const kept = Object.entries(point.spec).filter(([key]) => !NOT_IDENTIFYING.has(key));
  return canonicalJson(Object.fromEntries(kept));
}

/** The swept values alone, for tables: "blocks=16 layout.pageSize=32"; '' where nothing was swept. */
export function sweptText(swept: JsonObject): string {
  return Object.entries(swept)
    .map(([path, value]) => `${path}=${typeof value === 'string' ? value : canonicalJson(value)}`)
    .join(' ');
}
