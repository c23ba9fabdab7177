/** The project's own files as the rules see them, and how a broken rule is said. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { projectRoot } from '../../runner/project.js';

export interface Source {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** One broken rule: where, what, and what to do about it. */
export interface Violation {
  readonly where: string;
  readonly what: string;
  readonly remedy: string;
}

const TS_FOLDERS = ['runner', 'jobs', 'scripts', 'test'];

function pathsBelow(folder: string): string[] {
  const top = join(projectRoot, folder);
  if (!existsSync(top)) return [];
  if (statSync(top).isFile()) return [folder];
  return readdirSync(top, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(projectRoot, join(entry.parentPath, entry.name)))
    .sort();
}

export function sourcesBelow(folders: readonly string[], endings: RegExp): Source[] {
  return folders
    .flatMap(pathsBelow)
    .filter((path) => endings.test(path))
    .map((path) => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }));
}

export function typescriptSources(): Source[] {
  return sourcesBelow(TS_FOLDERS, /\.(ts|mjs)$/);
}

export function nativeSources(): Source[] {
  return sourcesBelow(['native'], /\.(cc|h|cu|cuh)$/);
}

/** Sentences for the test's output; an empty list is what every rule wants. */
export function sentences(violations: readonly Violation[]): string[] {
  return violations.map(({ where, what, remedy }) => `${where}: ${what}. ${remedy}`);
}

export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
