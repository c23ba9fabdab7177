/**
 * Reads JSON text and says where it is wrong. JSON.parse alone gives no line, and takes the last of two equal keys
 * without a word; a spec with a key twice is a mistake that its author should hear of.
 */
import { pointerOf } from './pointer.js';
import type { Fault } from './issue.js';

/** Deeper nesting than any spec has; keeps this reader's recursion bounded. */
const DEEPEST = 64;

class SyntaxFault extends Error {
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
  readonly duplicates: Fault[] = [];
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
    if (this.peek() !== character) throw new SyntaxFault(this.offset, expected);
    this.offset++;
  }

  value(path: readonly (string | number)[]): void {
    if (path.length > DEEPEST) throw new SyntaxFault(this.offset, `at most ${DEEPEST} levels of nesting`);
    const next = this.peek();
    if (next === '{') this.object(path);
    else if (next === '[') this.array(path);
    else if (this.take(next === '"' ? STRING : /[-\d]/.test(next) ? NUMBER : WORD) === null) {
      const expected = next === '"' ? 'a closed string with legal escapes' : 'a JSON value';
      throw new SyntaxFault(this.offset, expected);
    }
  }

  object(path: readonly (string | number)[]): void {
    this.offset++;
    const keys = new Set<string>();
    if (this.peek() === '}') return void this.offset++;
    for (;;) {
      if (this.peek() !== '"') throw new SyntaxFault(this.offset, 'a key in double quotes');
      const start = this.offset;
      const quoted = this.take(STRING);
      if (quoted === null) throw new SyntaxFault(start, 'a closed string with legal escapes');
      const key = JSON.parse(quoted) as string;
      const inner = [...path, key];
      if (keys.has(key)) this.duplicates.push(this.duplicate(inner, start));
      keys.add(key);
      this.expect(':', "':' after the key");
      this.value(inner);
      if (this.peek() === '}') return void this.offset++;
      this.expect(',', "',' or '}'");
    }
  }

  array(path: readonly (string | number)[]): void {
    this.offset++;
    if (this.peek() === ']') return void this.offset++;
    for (let index = 0; ; index++) {
      this.value([...path, index]);
      if (this.peek() === ']') return void this.offset++;
      this.expect(',', "',' or ']'");
    }
  }

  duplicate(path: readonly (string | number)[], offset: number): Fault {
    const { line, column } = place(this.text, offset);
    return {
      pointer: pointerOf(path),
      expected: 'each key once',
      received: `the key again at line ${line}, column ${column}`,
      hint: 'remove one of the two',
    };
  }
}

/** Line and column, both from 1; columns count UTF-16 units as editors do. */
function place(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}

export type JsonText =
  | { readonly kind: 'value'; readonly value: unknown; readonly duplicates: readonly Fault[] }
  | { readonly kind: 'syntax'; readonly fault: Fault; readonly line: number; readonly column: number };

export function readJsonText(text: string): JsonText {
  const reader = new Reader(text);
  try {
    reader.value([]);
    if (reader.peek() !== '') throw new SyntaxFault(reader.offset, 'the end of the document');
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    const { line, column } = place(text, error.offset);
    const found = text[error.offset];
    const received = found === undefined ? 'the end of the file' : JSON.stringify(found);
    const fault: Fault = {
      pointer: '',
      expected: `JSON with ${error.expected} at line ${line}, column ${column}`,
      received,
      hint:
        found === '/' || found === '#'
          ? 'JSON has no comments'
          : 'JSON has no trailing commas and only double quotes',
    };
    return { kind: 'syntax', fault, line, column };
  }
  return { kind: 'value', value: JSON.parse(text) as unknown, duplicates: reader.duplicates };
}
