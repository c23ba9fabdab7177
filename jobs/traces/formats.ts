/** The formats of request traces, recognised by a file's first line; never guessed. */
import { showValue } from '../../runner/job-spec/issue.js';
import { readJsonLine } from '../../runner/job-spec/json-text.js';
import { isObject } from '../../runner/job-spec/pointer.js';
import { AZURE_HEADER, BURSTGPT_HEADER, CsvRequests } from './csv-lines.js';
import {
  BAILIAN_FIELDS,
  MOONCAKE_FIELDS,
  PREFIX_HASH_FIELDS,
  parseJsonRequest,
  type JsonFields,
} from './json-lines.js';
import type { ParsedLine } from './request.js';

export type TraceFormatName = 'mooncake' | 'bailian' | 'prefixHashes' | 'azure' | 'burstgpt';

export interface TraceFormat {
  readonly name: TraceFormatName;
  /** The first line names columns and holds no request. */
  readonly hasHeader: boolean;
  /** Tokens of a block where nobody says otherwise; null: the format has no blocks, so nothing can be reused. */
  readonly usualBlockTokens: number | null;
  /** An id stands for its block and all before it. Where not, the reader chains. */
  readonly chained: boolean;
  /** The last block may be short and has an id all the same; where not, publishers differ. */
  readonly lastBlockHasId: boolean;
  /** Of one line that is not the header. */
  parser(): (text: string, previousMs: number) => ParsedLine;
}

const jsonFormat = (facts: Omit<TraceFormat, 'parser' | 'hasHeader'>, fields: JsonFields): TraceFormat => ({
  ...facts,
  hasHeader: false,
  parser: () => (text, previousMs) => parseJsonRequest(text, previousMs, fields),
});

export const MOONCAKE = jsonFormat(
  { name: 'mooncake', usualBlockTokens: 512, chained: true, lastBlockHasId: true },
  MOONCAKE_FIELDS,
);
const BAILIAN = jsonFormat(
  { name: 'bailian', usualBlockTokens: 16, chained: false, lastBlockHasId: false },
  BAILIAN_FIELDS,
);
const PREFIX_HASHES = jsonFormat(
  { name: 'prefixHashes', usualBlockTokens: 16, chained: true, lastBlockHasId: false },
  PREFIX_HASH_FIELDS,
);

function csvFormat(name: 'azure' | 'burstgpt', header: string): TraceFormat {
  return {
    name,
    hasHeader: true,
    usualBlockTokens: null,
    chained: true,
    lastBlockHasId: false,
    parser: () => {
      const requests = new CsvRequests(header);
      return (text, previousMs) => requests.parse(text, previousMs);
    },
  };
}

export const KNOWN_FORMATS =
  'Mooncake (JSON lines with hash_ids), Bailian (hash_ids, chat_id and parent_chat_id), chained prefix hashes ' +
  `(prefix_block_hashes), Azure ("${AZURE_HEADER}") or BurstGPT ("${BURSTGPT_HEADER}")`;

/** The format of a file that begins with this line. */
export function formatOf(firstLine: string): TraceFormat | { readonly wrong: string } {
  if (firstLine === AZURE_HEADER) return csvFormat('azure', firstLine);
  if (firstLine === BURSTGPT_HEADER || firstLine.startsWith(`${BURSTGPT_HEADER},`)) {
    return csvFormat('burstgpt', firstLine);
  }
  const read = readJsonLine(firstLine);
  // Damaged JSON is a damaged line of the one format that this file can be of; what else it is, its own parser says.
  if (!('value' in read)) {
    if (firstLine.trimStart().startsWith('{')) return MOONCAKE;
    return { wrong: `neither JSON nor a known header: ${showValue(firstLine.slice(0, 80))}` };
  }
  const { value } = read;
  if (!isObject(value)) return { wrong: `not an object: ${showValue(value)}` };
  const has = (key: string): boolean => Object.hasOwn(value, key);
  if (has('prefix_block_hashes')) {
    if (!has('hash_ids')) return PREFIX_HASHES;
    return { wrong: 'both hash_ids and prefix_block_hashes: it is not told which of them counts' };
  }
  if (has('hash_ids')) return has('chat_id') && has('parent_chat_id') ? BAILIAN : MOONCAKE;
  return {
    wrong: `an object without hash_ids or prefix_block_hashes: keys ${Object.keys(value).join(', ')}`,
  };
}
