/** Request traces that tests write and read back. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTrace, type TraceReading } from '../../jobs/traces/read-trace.js';
import type { TraceRequest } from '../../jobs/traces/request.js';
import { withTempDir } from './with-temp-dir.js';

/** All requests of a file `name` of this content. */
export async function readWholeTrace(name: string, content: string | Uint8Array, options: TraceReading = {}) {
  return await withTempDir(async (folder) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    const trace = await openTrace(path, options);
    const requests: TraceRequest[] = [];
    for await (const batch of trace.requests) requests.push(...batch);
    return { format: trace.format.name, blockTokens: trace.blockTokens, badLines: trace.badLines, requests };
  });
}

export const mooncakeLine = (timestamp: unknown, input: unknown, ids: string, more = ''): string =>
  `{"timestamp": ${timestamp}, "input_length": ${input}, "output_length": 5, "hash_ids": [${ids}]${more}}`;
