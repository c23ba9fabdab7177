/**
 * Coverage that one machine records and another adds to its own: what processes executed of each compiled module, small
 * enough to be carried. A bundle without source maps can write it; the checkout of the same commit reads it.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

/** As V8 writes it into NODE_V8_COVERAGE: offsets are of the script's text. */
interface FunctionCoverage {
  readonly functionName: string;
  readonly isBlockCoverage: boolean;
  readonly ranges: { readonly startOffset: number; readonly endOffset: number; readonly count: number }[];
}

/** One file of NODE_V8_COVERAGE. */
export interface RawCoverage {
  readonly result: { url: string; functions: readonly FunctionCoverage[] }[];
}

/**
 * Functions whose ranges all versions of Node agree on; the tests run several. In some, the range of the hidden function that
 * sets the fields of a class includes the constructor, and would hide that another version executed it.
 */
export function comparable(functions: readonly FunctionCoverage[]): FunctionCoverage[] {
  return functions.filter(({ functionName }) => functionName !== '<instance_members_initializer>');
}

export interface CarriedModule {
  /** SHA-256 of the compiled text, in hex: offsets mean nothing in another. */
  readonly sha256: string;
  /** What processes executed, each different one once; a count is 1 for any number of times. */
  readonly runs: readonly (readonly FunctionCoverage[])[];
}

export interface CarriedCoverage {
  /** UTC, YYYY-MM-DD. */
  readonly date: string;
  readonly commit: string;
  /** By path below dist/: runner/engine/run.js. */
  readonly modules: Readonly<Record<string, CarriedModule>>;
}

/** A module of this project, wherever its dist/ lies: with the path below it. */
export const MODULE = /^file:\/\/.*\/dist\/((?:runner|jobs)\/.*\.js)$/;

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Of the JSON files that Node wrote into `rawFolder`, for modules in `dist`. A file that was cut (its process was killed) is left out. */
export function carriedModules(rawFolder: string, dist: string): Record<string, CarriedModule> {
  const runsOf = new Map<string, Set<string>>();
  for (const name of readdirSync(rawFolder)) {
    for (const { url, functions } of scriptsOf(join(rawFolder, name))) {
      const [, path] = MODULE.exec(url) ?? [];
      if (path === undefined) continue;
      const runs = runsOf.get(path) ?? new Set();
      runsOf.set(path, runs.add(JSON.stringify(comparable(functions).map(withoutCounts))));
    }
  }
  const modules = [...runsOf].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    modules.map(([path, runs]) => {
      const read = (text: string): readonly FunctionCoverage[] => JSON.parse(text) as FunctionCoverage[];
      return [path, { sha256: sha256(readFileSync(join(dist, path), 'utf8')), runs: [...runs].map(read) }];
    }),
  );
}

function scriptsOf(file: string): RawCoverage['result'] {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as RawCoverage).result;
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function withoutCounts({ functionName, isBlockCoverage, ranges }: FunctionCoverage): FunctionCoverage {
  const seen = ranges.map(({ startOffset, endOffset, count }) => ({
    startOffset,
    endOffset,
    count: Math.min(count, 1),
  }));
  return { functionName, isBlockCoverage, ranges: seen };
}

export function packCarried(coverage: CarriedCoverage): Buffer {
  return gzipSync(JSON.stringify(coverage));
}

export function readCarried(file: string): CarriedCoverage {
  return JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')) as CarriedCoverage;
}
