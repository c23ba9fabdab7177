/** Reads the spec's file: there, a file, of sane size, UTF-8, JSON with an object in it. */
import { readTextFile, TextFileError } from '../text/text-file.js';
import { showValue, type SpecIssue } from './issue.js';
import { readJsonText } from './json-text.js';
import { isObject } from './pointer.js';
import { SpecError } from './spec-error.js';

/** A spec is text that people write; beyond this it is some other file. */
const LARGEST_SPEC_BYTES = 16 * 1024 * 1024;

export interface SpecDocument {
  readonly document: Record<string, unknown>;
  /** Keys that are there twice. */
  readonly duplicates: readonly SpecIssue[];
}

function readSpecText(path: string): string {
  try {
    return readTextFile(path, LARGEST_SPEC_BYTES).text;
  } catch (error) {
    if (!(error instanceof TextFileError)) throw error;
    const { received, hint, notText } = error;
    const expected = notText ? 'UTF-8 text' : 'a readable JSON file';
    const issue = { pointer: '', expected, received, hint };
    throw new SpecError(notText ? 'E_SPEC_SYNTAX' : 'E_SPEC_READ', path, [issue], { cause: error });
  }
}

export function readSpecDocument(path: string): SpecDocument {
  const text = readSpecText(path);
  const read = readJsonText(text);
  if (read.kind === 'syntax') {
    throw new SpecError('E_SPEC_SYNTAX', `${path}:${read.line}:${read.column}`, [read.issue]);
  }
  if (!isObject(read.value)) {
    const hint = 'a spec is { "name": ..., "jobs": [ ... ] }';
    const issue = { pointer: '', expected: 'a JSON object', received: showValue(read.value), hint };
    throw new SpecError('E_SPEC_INVALID', path, [issue, ...read.duplicates]);
  }
  return { document: read.value, duplicates: read.duplicates };
}
