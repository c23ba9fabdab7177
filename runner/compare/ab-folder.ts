/** The folder of a comparison by `ab`: `ab.json`, `runs/` with a folder for each run, `verdict.json`. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RunPlace } from './ab-judge.js';

export const AB_SETTINGS = 'ab.json';
export const AB_VERDICT = 'verdict.json';
export const AB_RUNS = 'runs';

/** Sorts in the order of measuring: `s1-p03-b`. */
export function abRunName({ stage, pair, side }: Pick<RunPlace, 'stage' | 'pair' | 'side'>): string {
  return `s${stage}-p${String(pair + 1).padStart(2, '0')}-${side}`;
}

export interface AbFolder {
  readonly verdict: string;
  /** Folders of all runs of A and of B that ended, in the order of measuring. */
  readonly baseline: readonly string[];
  readonly candidate: readonly string[];
  /** Those of B with all points. */
  readonly wholeCandidate: readonly string[];
}

/** Undefined for a folder of another kind. */
export function openAbFolder(path: string): AbFolder | undefined {
  if (!existsSync(join(path, AB_SETTINGS))) return undefined;
  const folder = join(path, AB_RUNS);
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const ended = (pattern: RegExp): string[] =>
    names
      .filter((name) => pattern.test(name) && existsSync(join(folder, name, 'manifest.json')))
      .map((name) => join(folder, name));
  return {
    verdict: join(path, AB_VERDICT),
    baseline: ended(/^s\d-p\d+-a$/),
    candidate: ended(/^s\d-p\d+-b$/),
    wholeCandidate: ended(/^s1-p\d+-b$/),
  };
}
