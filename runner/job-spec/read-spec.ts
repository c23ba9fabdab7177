/** Reads the spec's file: there, a file, of sane size, UTF-8, JSON with an object in it. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Fault } from './issue.js';
import { showValue } from './issue.js';
import { readJsonText } from './json-text.js';
import { isObject } from './pointer.js';
import { SpecError } from './spec-error.js';

/** A spec is text that people write; beyond this it is some other file. */
export const LARGEST_SPEC_BYTES = 16 * 1024 * 1024;

const READ_HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'check the path; it is taken from the folder you are in',
  EACCES: 'make the file readable for this user',
  ENOTDIR: 'a part of the path is not a folder',
};

function readBytes(path: string): Uint8Array {
  const refuse = (received: string, hint: string): SpecError =>
    new SpecError('E_SPEC_READ', path, [{ pointer: '', expected: 'a readable JSON file', received, hint }]);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const found = fstatSync(descriptor);
    if (found.isDirectory()) throw refuse('a directory', 'name the spec file inside it');
    if (!found.isFile())
      throw refuse('something that is not a regular file', 'write the spec to a file first');
    if (found.size > LARGEST_SPEC_BYTES) {
      const limit = `specs are at most ${LARGEST_SPEC_BYTES} bytes (16 MiB)`;
      throw refuse(`${found.size} bytes`, `${limit}; is this really the spec?`);
    }
    return readFileSync(descriptor);
  } catch (error) {
    if (error instanceof SpecError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const received = code === 'ENOENT' ? 'nothing: there is no such file' : `${code} on opening it`;
    throw refuse(received, READ_HINTS[code] ?? 'check the path and its permissions');
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

export interface SpecDocument {
  readonly document: Record<string, unknown>;
  /** Keys that are there twice. */
  readonly duplicates: readonly Fault[];
}

export function readSpecDocument(path: string): SpecDocument {
  const bytes = readBytes(path);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const fault = {
      pointer: '',
      expected: 'UTF-8 text',
      received: 'bytes that are not UTF-8',
      hint: 'is this a spec?',
    };
    throw new SpecError('E_SPEC_SYNTAX', path, [fault], { cause: error });
  }
  const read = readJsonText(text);
  if (read.kind === 'syntax') {
    throw new SpecError('E_SPEC_SYNTAX', `${path}:${read.line}:${read.column}`, [read.fault]);
  }
  if (!isObject(read.value)) {
    const hint = 'a spec is { "name": ..., "jobs": [ ... ] }';
    const fault = { pointer: '', expected: 'a JSON object', received: showValue(read.value), hint };
    throw new SpecError('E_SPEC_INVALID', path, [fault, ...read.duplicates]);
  }
  return { document: read.value, duplicates: read.duplicates };
}
