/**
 * Reads JSON text and says where it is wrong. JSON.parse gives no line, takes the last of two equal keys
 * without a word, and rounds integers beyond 2^53; a spec with a key twice is a mistake that its author should hear
 * of, and a 64-bit id must stay what it is. Integers that numbers do not hold exactly become BigInt.
 */
import { placeOf } from '../text/text-file.js';
import { pointerOf } from './pointer.js';
import type { SpecIssue } from './issue.js';

/** Deeper nesting than any spec has; keeps this reader's recursion bounded. */
const DEEPEST = 64;

class SyntaxIssue extends Error {
  readonly offset: number;
  readonly expected: string;
  constructor(offset: number, expected: string) {
    super(expected);
    this.offset = offset;
    this.expected = expected;
  }
}

const BLANKS = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// oxlint-disable-next-line no-control-regex -- JSON forbids exactly these characters inside a string
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;

class Reader {
  readonly text: string;
  readonly duplicates: SpecIssue[] = [];
  offset = 0;

  constructor(text: string) {
    this.text = text;
  }

  take(pattern: RegExp): string | null {
    pattern.lastIndex = this.offset;
    const match = pattern.exec(this.text);
    if (match === null) return null;
    this.offset += match[0].length;
    return match[0];
  }

  /** Skips blanks and looks at the next character; '' at the end. */
  peek(): string {
    this.take(BLANKS);
    return this.text[this.offset] ?? '';
  }

  expect(character: string, expected: string): void {
    if (this.peek() !== character) throw new SyntaxIssue(this.offset, expected);
    this.offset++;
  }

  value(path: readonly (string | number)[]): unknown {
    if (path.length > DEEPEST) throw new SyntaxIssue(this.offset, `at most ${DEEPEST} levels of nesting`);
    const next = this.peek();
    if (next === '{') return this.object(path);
    if (next === '[') return this.array(path);
    const pattern = next === '"' ? STRING : /[-\d]/.test(next) ? NUMBER : WORD;
    const text = this.take(pattern);
    if (text !== null) return pattern === NUMBER ? exactNumber(text) : (JSON.parse(text) as unknown);
    const expected = next === '"' ? 'a closed string with legal escapes' : 'a JSON value';
    throw new SyntaxIssue(this.offset, expected);
  }

  object(path: readonly (string | number)[]): Record<string, unknown> {
    this.offset++;
    const read: Record<string, unknown> = {};
    if (this.peek() === '}') return this.#ended(read);
    for (;;) {
      if (this.peek() !== '"') throw new SyntaxIssue(this.offset, 'a key in double quotes');
      const start = this.offset;
      const quoted = this.take(STRING);
      if (quoted === null) throw new SyntaxIssue(start, 'a closed string with legal escapes');
      const key = String(JSON.parse(quoted));
      const inner = [...path, key];
      if (Object.hasOwn(read, key)) this.duplicates.push(this.duplicate(inner, start));
      this.expect(':', "':' after the key");
      const value = this.value(inner);
      // Not an assignment: the key may be __proto__.
      Object.defineProperty(read, key, { value, enumerable: true, configurable: true, writable: true });
      if (this.peek() === '}') return this.#ended(read);
      this.expect(',', "',' or '}'");
    }
  }

  array(path: readonly (string | number)[]): unknown[] {
    this.offset++;
    const read: unknown[] = [];
    if (this.peek() === ']') return this.#ended(read);
    for (;;) {
      read.push(this.value([...path, read.length]));
      if (this.peek() === ']') return this.#ended(read);
      this.expect(',', "',' or ']'");
    }
  }

  #ended<T>(read: T): T {
    this.offset++;
    return read;
  }

  duplicate(path: readonly (string | number)[], offset: number): SpecIssue {
    const { line, column } = placeOf(this.text, offset);
    return {
      pointer: pointerOf(path),
      expected: 'each key once',
      received: `the key again at line ${line}, column ${column}`,
      hint: 'remove one of the two',
    };
  }
}

function exactNumber(text: string): number | bigint {
  const value = Number(text);
  return Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(text)
    ? BigInt(text)
    : value;
}

export type JsonText =
  | { readonly kind: 'value'; readonly value: unknown; readonly duplicates: readonly SpecIssue[] }
  | {
      readonly kind: 'syntax';
      readonly issue: SpecIssue;
      /** What JSON needs there. */
      readonly expected: string;
      readonly line: number;
      readonly column: number;
    };

export function readJsonText(text: string): JsonText {
  const reader = new Reader(text);
  let value: unknown;
  try {
    value = reader.value([]);
    if (reader.peek() !== '') throw new SyntaxIssue(reader.offset, 'the end of the document');
  } catch (error) {
    if (!(error instanceof SyntaxIssue)) throw error;
    const { line, column } = placeOf(text, error.offset);
    const found = text[error.offset];
    const received = found === undefined ? 'the end of the file' : JSON.stringify(found);
    const issue: SpecIssue = {
      pointer: '',
      expected: `JSON with ${error.expected} at line ${line}, column ${column}`,
      received,
      hint:
        found === '/' || found === '#'
          ? 'JSON has no comments'
          : 'JSON has no trailing commas and only double quotes',
    };
    return { kind: 'syntax', issue, expected: error.expected, line, column };
  }
  return { kind: 'value', value, duplicates: reader.duplicates };
}

/** A run of digits that a number may not hold exactly. */
const LONG_INTEGER = /\d{16}/;

export type JsonLine =
  | { readonly value: unknown }
  | { readonly column: number; readonly expected: string; readonly received: string };

/** One line of a JSONL file. Files have millions: JSON.parse reads them, this module's reader only what it cannot. */
export function readJsonLine(text: string): JsonLine {
  if (!LONG_INTEGER.test(text)) {
    try {
      return { value: JSON.parse(text) as unknown };
    } catch {
      // Read again below, for the place.
    }
  }
  const read = readJsonText(text);
  if (read.kind === 'value') return { value: read.value };
  return { column: read.column, expected: read.expected, received: read.issue.received };
}
