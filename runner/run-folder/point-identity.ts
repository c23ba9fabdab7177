/** What identifies a measured thing over many runs: its swept parameters, and a digest of all that was resolved. */
import { canonicalJson, sha256Hex } from '../job-spec/canonical.js';
import type { JsonObject } from '../job-spec/types.js';
import { isJsonObject } from '../values/json.js';

/** Keys that change how long a run takes or how it is judged, and not what it measures. */
const NOT_IDENTIFYING = new Set([
  'id',
  'kind',
  'warmup',
  'iterations',
  'stopping',
  'timeoutSeconds',
  'verify',
  'probe',
  'saveSamples',
  'sweep',
  'sweepTogether',
]);

/** The keys of a resolved job that decide what is measured. */
export function identifyingKeys(job: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(job).filter(([key]) => !NOT_IDENTIFYING.has(key)));
}

/** The `params` column: only the swept keys and values, as canonical JSON; `{}` where nothing is swept. */
export function paramsText(swept: JsonObject): string {
  return canonicalJson(swept);
}

export interface SeriesOf {
  readonly kind: string;
  /** The resolved job of the point, sweep applied. */
  readonly job: JsonObject;
  readonly device: string;
  readonly deviceName: string;
  readonly layout: string;
}

const SERIES_DIGITS = 16;
/** Sixteen hex digits by themselves may be a number, 1e5 followed by digits say, and spreadsheets and pandas take them for one. */
const SERIES_LETTER = 's';

/** The `series` column: equal for the same resolved job on the same class of device in the same world layout. */
export function seriesDigest({ kind, job, device, deviceName, layout }: SeriesOf): string {
  const text = canonicalJson({ device, deviceName, job: identifyingKeys(job), kind, layout });
  return SERIES_LETTER + sha256Hex(text).slice(0, SERIES_DIGITS);
}

/** A `series` as it was written, by versions before the letter too; undefined for any other text. */
export function readSeries(text: string): string | undefined {
  const digits = /^s?([0-9a-f]{16})$/.exec(text)?.[1];
  return digits === undefined ? undefined : SERIES_LETTER + digits;
}

/** Dotted paths at which two resolved jobs differ. A key that only one has is left out: newer versions add keys. */
export function differingKeys(left: JsonObject, right: JsonObject, prefix = ''): string[] {
  return Object.keys(left).flatMap((key) => {
    if (!Object.hasOwn(right, key)) return [];
    const [a, b] = [left[key] ?? null, right[key] ?? null];
    if (isJsonObject(a) && isJsonObject(b)) return differingKeys(a, b, `${prefix}${key}.`);
    return canonicalJson(a) === canonicalJson(b) ? [] : [`${prefix}${key}`];
  });
}
