/** A point's swept values in words. */
import { canonicalJson } from '../job-spec/canonical.js';
import type { JsonObject } from '../job-spec/types.js';

/** For tables and progress: "blocks=16 layout.pageSize=32"; '' where nothing was swept. */
export function sweptText(swept: JsonObject): string {
  return Object.entries(swept)
    .map(([path, value]) => `${path}=${typeof value === 'string' ? value : canonicalJson(value)}`)
    .join(' ');
}
