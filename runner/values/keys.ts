/** Reads keys of parsed JSON, each checked. For documents whose schema has been checked: what throws here is a slip of the code. */
import { isOneOf } from './items.js';

type Fields = Readonly<Record<string, unknown>>;

function unexpected(key: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${key}: expected ${expected}, received ${JSON.stringify(value) ?? 'nothing'}`);
}

export function readObject(from: Fields, key: string): Fields {
  const value = from[key];
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw unexpected(key, 'an object', value);
}

export function readText(from: Fields, key: string): string {
  const value = from[key];
  if (typeof value === 'string') return value;
  throw unexpected(key, 'a text', value);
}

export function readNumber(from: Fields, key: string): number {
  const value = from[key];
  if (typeof value === 'number') return value;
  throw unexpected(key, 'a number', value);
}

export function readFlag(from: Fields, key: string): boolean {
  const value = from[key];
  if (typeof value === 'boolean') return value;
  throw unexpected(key, 'true or false', value);
}

export function readWord<T extends string>(from: Fields, key: string, words: readonly T[]): T {
  const value = from[key];
  if (isOneOf(words, value)) return value;
  throw unexpected(key, `one of ${words.join(', ')}`, value);
}
