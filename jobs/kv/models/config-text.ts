/**
 * The JSON that Python writes and reads: Infinity and NaN as bare words, a byte order mark, integers of any size.
 * Node 20's JSON.parse has no source text in its reviver, so such numbers are marked in the text first.
 */
import { isObject } from '../../../runner/job-spec/pointer.js';
import { ConfigRefusal } from './refusal.js';
import { messageOf } from '../../../runner/errors.js';

/** Configurations with long lists of unquantized layers reach a few MiB. */
export const LARGEST_CONFIG_BYTES = 16 * 1024 * 1024;

/** Files found where a config.json was expected, by how they begin. */
const NOT_JSON: readonly (readonly [RegExp, string, string])[] = [
  [
    /^version https:\/\/git-lfs\.github\.com\/spec/,
    'a Git LFS pointer, not the file that it stands for',
    'run git lfs pull in that checkout',
  ],
  [/^\s*</, 'a web page', 'download the raw file instead of the page that shows it'],
  [/^GGUF/, 'a GGUF file', 'name the config.json of the model that it was made from'],
  [/^\s*$/, 'an empty file', 'download it again'],
];

/** No configuration nests as deep; recursion stays bounded. */
const DEEPEST_CONFIG = 64;

const MARK = '\u0000number:';
const LONG_DIGITS = /\d{16}/;
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?Infinity|NaN|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Text of a file -> its JSON value. Integers above 2^53 become bigint. Throws ConfigRefusal. */
export function parseConfig(fileText: string): unknown {
  const text = fileText.charCodeAt(0) === 0xfeff ? fileText.slice(1) : fileText;
  for (const [start, what, hint] of NOT_JSON) {
    if (start.test(text.slice(0, 256))) throw new ConfigRefusal('JSON', what, hint);
  }
  // Searching for words is far quicker than one pattern for all: files have megabytes.
  const isMarked = text.includes('Infinity') || text.includes('NaN') || LONG_DIGITS.test(text);
  const marked = isMarked ? text.replaceAll(STRING_OR_NUMBER, markNumber) : text;
  let value: unknown;
  try {
    value = JSON.parse(marked);
  } catch (error) {
    throw new ConfigRefusal('JSON', `text that is not JSON: ${messageOf(error)}`);
  }
  return isMarked ? unmarked(value, 0) : value;
}

function markNumber(token: string): string {
  if (token.startsWith('"')) return token;
  const isPlain = /^-?\d/.test(token) && (/\D/.test(token.slice(1)) || Number.isSafeInteger(Number(token)));
  if (isPlain) return token;
  return `"\\u0000number:${token}"`;
}

function unmarked(value: unknown, depth: number): unknown {
  if (depth > DEEPEST_CONFIG) {
    throw new ConfigRefusal('a config.json', `JSON of more than ${DEEPEST_CONFIG} levels`);
  }
  if (typeof value === 'string' && value.startsWith(MARK)) {
    const token = value.slice(MARK.length);
    return /^-?\d/.test(token) ? BigInt(token) : Number(token);
  }
  if (Array.isArray(value)) return value.map((inner) => unmarked(inner, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unmarked(inner, depth + 1)]));
}
