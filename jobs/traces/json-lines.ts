/** Requests of traces that have one JSON object per line: Mooncake and its dialects, Bailian, chained prefix hashes. */
import { showValue } from '../../runner/job-spec/issue.js';
import { readJsonLine } from '../../runner/job-spec/json-text.js';
import { isObject } from '../../runner/job-spec/pointer.js';
import type { HashId, ParsedLine } from './request.js';

const LARGEST_HASH_ID = 2n ** 64n - 1n;
const HEX_HASH = /^[0-9a-fA-F]{1,64}$/;

/** Names under which publishers write the same thing, the first one in messages. */
export interface JsonFields {
  readonly time: readonly string[];
  /** Milliseconds in one unit of the time. */
  readonly timeUnitMs: number;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly ids: string;
  readonly idKind: 'number' | 'hex';
  readonly session: readonly string[];
  readonly delay: readonly string[];
  /** Requests shorter than a block may have no id. */
  readonly mayBeEmpty: boolean;
}

export const MOONCAKE_FIELDS: JsonFields = {
  time: ['timestamp', 'created_time'],
  timeUnitMs: 1,
  input: ['input_length', 'input_tokens'],
  output: ['output_length', 'output_tokens'],
  ids: 'hash_ids',
  idKind: 'number',
  session: ['session_id'],
  delay: ['delay', 'delay_ms'],
  mayBeEmpty: false,
};

/** chat_id names a turn, not a conversation: the reader gives no session. */
export const BAILIAN_FIELDS: JsonFields = {
  ...MOONCAKE_FIELDS,
  time: ['timestamp'],
  timeUnitMs: 1000,
  session: [],
  delay: [],
  mayBeEmpty: true,
};

export const PREFIX_HASH_FIELDS: JsonFields = {
  ...MOONCAKE_FIELDS,
  input: [...MOONCAKE_FIELDS.input, 'prompt_tokens'],
  output: [...MOONCAKE_FIELDS.output, 'completion_tokens'],
  ids: 'prefix_block_hashes',
  idKind: 'hex',
  mayBeEmpty: true,
};

/** The value of the one of these keys that the line has; `wrong` where it has two that differ. */
function pick(
  line: Record<string, unknown>,
  keys: readonly string[],
): { value: unknown } | { wrong: string } {
  const present = keys.filter((key) => line[key] !== undefined);
  const [first] = present;
  if (first === undefined) return { value: undefined };
  const other = present.find((key) => line[key] !== line[first]);
  if (other === undefined) return { value: line[first] };
  return {
    wrong: `${first} ${showValue(line[first])} and ${other} ${showValue(line[other])}: two names of one thing`,
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function readIds(
  ids: unknown,
  { ids: key, idKind, mayBeEmpty }: JsonFields,
): { readonly ids: HashId[] } | { readonly wrong: string } {
  if (!Array.isArray(ids) || (ids.length === 0 && !mayBeEmpty)) {
    return { wrong: `${key} ${showValue(ids)}, expected a list of at least one id` };
  }
  const isId = (id: unknown): id is HashId =>
    isCount(id) ||
    (typeof id === 'bigint' && id >= 0n && id <= LARGEST_HASH_ID) ||
    (idKind === 'hex' && typeof id === 'string' && HEX_HASH.test(id));
  if (ids.every(isId)) return { ids };
  const odd: unknown = ids.find((id) => !isId(id));
  const kinds = idKind === 'hex' ? 'hexadecimal hashes or whole numbers' : 'whole numbers';
  return { wrong: `${showValue(odd)} in ${key}, expected ${kinds} from 0 to ${LARGEST_HASH_ID}` };
}

/** What is wrong with a line, or the request it holds. `previousMs`: time of the request before. */
export function parseJsonRequest(text: string, previousMs: number, fields: JsonFields): ParsedLine {
  const read = readJsonLine(text);
  if (!('value' in read)) {
    return {
      wrong: `not JSON: expected ${read.expected} at column ${read.column}, received ${read.received}`,
    };
  }
  const line = read.value;
  if (!isObject(line)) return { wrong: `not an object: ${showValue(line)}` };
  const values: unknown[] = [];
  for (const keys of [fields.time, fields.input, fields.output, fields.session, fields.delay]) {
    const found = pick(line, keys);
    if ('wrong' in found) return found;
    values.push(found.value);
  }
  const [time, inputTokens, outputTokens, session, delay] = values;
  if (session !== undefined && typeof session !== 'string' && !isCount(session)) {
    return { wrong: `${fields.session[0]} ${showValue(session)}, expected a text or a whole number` };
  }
  if (delay !== undefined && (typeof delay !== 'number' || !(delay >= 0) || !Number.isFinite(delay))) {
    return { wrong: `${fields.delay[0]} ${showValue(delay)}, expected a number >= 0` };
  }
  // A later turn of a session may say only its delay.
  const follows = time === undefined && session !== undefined && delay !== undefined;
  const timestampMs = follows ? previousMs : typeof time === 'number' ? time * fields.timeUnitMs : NaN;
  if (!(timestampMs >= previousMs) || !Number.isFinite(timestampMs)) {
    const least = previousMs / fields.timeUnitMs;
    return {
      wrong: `${fields.time[0]} ${showValue(time)}, expected a number >= ${least} (never back in time)`,
    };
  }
  if (!isCount(inputTokens) || inputTokens < 1) {
    return { wrong: `${fields.input[0]} ${showValue(inputTokens)}, expected a whole number from 1` };
  }
  if (!isCount(outputTokens)) {
    return { wrong: `${fields.output[0]} ${showValue(outputTokens)}, expected a whole number from 0` };
  }
  const found = readIds(line[fields.ids], fields);
  if ('wrong' in found) return found;
  return {
    timestampMs,
    inputTokens,
    outputTokens,
    hashIds: found.ids,
    ...(session === undefined ? {} : { session: String(session) }),
    ...(delay === undefined ? {} : { delayMs: delay }),
  };
}
