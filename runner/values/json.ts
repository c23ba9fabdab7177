/** JSON text of our own making: parsed, and of the form that the caller relies on or an error. */
import type { JsonObject, JsonValue } from '../job-spec/types.js';

/** Throws SyntaxError. */
export function parseJson(text: string): JsonValue {
  // JSON.parse gives just these values, and `any` for lack of a type of them.
  return JSON.parse(text);
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether it holds nothing that JSON has no form for, at any depth: a BigInt, `undefined`. */
export function isJson(value: unknown): value is JsonValue {
  if (value === null || ['boolean', 'number', 'string'].includes(typeof value)) return true;
  return typeof value === 'object' && Object.values(value).every(isJson);
}

/** A value of an object that the code made of parsed JSON. */
export function asJsonObject(value: Readonly<Record<string, unknown>>): JsonObject {
  if (isJson(value) && isJsonObject(value)) return value;
  throw new TypeError('expected values that JSON can hold');
}

/** Throws SyntaxError where the text is not an object. */
export function parseJsonObject(text: string): JsonObject {
  const value = parseJson(text);
  if (isJsonObject(value)) return value;
  throw new SyntaxError(`expected a JSON object, received ${text.slice(0, 80)}`);
}
