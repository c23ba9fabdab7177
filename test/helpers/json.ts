/** JSON that this project wrote, as the type it was written from: what a test asserts of it is the check. */
import { readFileSync } from 'node:fs';

export function parseJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

export function readJson<T>(path: string): T {
  return parseJson(readFileSync(path, 'utf8'));
}
