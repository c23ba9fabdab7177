/** What is wrong with the sweeps of a job themselves, before any combination is made. Pointers are relative to the job. */
import type { Schema } from './common-schema.js';
import { showValue, type SpecIssue } from './issue.js';
import { isObject, pointerOf } from './pointer.js';
import { keysInSchema } from './schema.js';
import { suggestion } from './suggest.js';
import { productIssues } from './sweep.js';

const NOT_SWEPT = new Set(['$comment', 'id', 'kind', 'sweep', 'sweepTogether']);

/** Issues of the shape of both sweeps; with any of them there are no combinations to look at. */
export function sweepIssues(job: Readonly<Record<string, unknown>>, schema: Schema): SpecIssue[] {
  const { sweep, sweepTogether } = job;
  const rows: readonly unknown[] = Array.isArray(sweepTogether) ? sweepTogether : [];
  const places = [
    ...pathsIn(rows[0]).map((path) => ({ path, pointer: pointerOf(['sweepTogether', 0, path]) })),
    ...pathsIn(sweep).map((path) => ({ path, pointer: pointerOf(['sweep', path]) })),
  ];
  const issues = [
    ...places.flatMap((place) => pathIssues(place, schema)),
    ...overlapIssues(places),
    ...listIssues(sweep),
    ...rowIssues(sweepTogether),
  ];
  return issues.length > 0 ? issues : productIssues(job);
}

function pathsIn(value: unknown): string[] {
  return isObject(value) ? Object.keys(value) : [];
}

interface Place {
  readonly path: string;
  readonly pointer: string;
}

function pathIssues({ path, pointer }: Place, schema: Schema): SpecIssue[] {
  const walked: string[] = [];
  let place: Schema = schema;
  for (const key of path.split('.')) {
    const known = keysInSchema(place, schema);
    const names = Object.keys(known).filter((name) => walked.length > 0 || !NOT_SWEPT.has(name));
    if (!names.includes(key)) {
      const where = walked.length === 0 ? 'the job' : walked.join('.');
      const hint = names.length === 0 ? `${where} has no keys inside` : suggestion(key, names);
      const expected = `a dotted path of keys that can be swept; ${where} has no ${showValue(key)}`;
      return [{ pointer, expected, received: showValue(path), hint }];
    }
    walked.push(key);
    place = known[key] ?? {};
  }
  return [];
}

/** A value is swept once: neither by both sweeps nor as a part of another swept value. */
function overlapIssues(places: readonly Place[]): SpecIssue[] {
  return places.flatMap(({ path, pointer }, at) => {
    const outer = places.find(
      (other, index) =>
        index !== at && (path.startsWith(`${other.path}.`) || (other.path === path && index < at)),
    );
    if (outer === undefined) return [];
    const received = outer.path === path ? `${path} in both sweeps` : `${path} inside ${outer.path}`;
    return [{ pointer, expected: 'paths that do not lie inside each other', received }];
  });
}

function listIssues(sweep: unknown): SpecIssue[] {
  if (sweep === undefined) return [];
  if (!isObject(sweep)) {
    return [{ pointer: '/sweep', expected: 'object of dotted key path -> list', received: showValue(sweep) }];
  }
  return Object.entries(sweep).flatMap(([path, list]) => {
    if (Array.isArray(list) && list.length > 0) return [];
    const hint = 'a single value belongs into the job itself';
    return [
      { pointer: pointerOf(['sweep', path]), expected: 'non-empty list', received: showValue(list), hint },
    ];
  });
}

/** Rows have the same paths, so that every point says all that was swept. */
function rowIssues(rows: unknown): SpecIssue[] {
  if (rows === undefined) return [];
  const pointer = '/sweepTogether';
  if (!Array.isArray(rows) || rows.length === 0) {
    const expected = 'non-empty list of rows, each an object of dotted key path -> value';
    return [{ pointer, expected, received: showValue(rows) }];
  }
  const paths = pathsIn(rows[0]);
  return rows.flatMap((row: unknown, index): SpecIssue[] => {
    const at = pointerOf(['sweepTogether', index]);
    if (!isObject(row) || Object.keys(row).length === 0) {
      return [{ pointer: at, expected: 'object of dotted key path -> value', received: showValue(row) }];
    }
    const missing = paths.filter((path) => !Object.hasOwn(row, path));
    const extra = Object.keys(row).filter((path) => !paths.includes(path));
    const expected = `the paths of the first row: ${paths.join(', ')}`;
    return [
      ...missing.map((path) => ({ pointer: at, expected, received: `nothing for ${path}` })),
      ...extra.map((path) => ({
        pointer: pointerOf(['sweepTogether', index, path]),
        expected,
        received: showValue(path),
        hint: suggestion(path, paths),
      })),
    ];
  });
}
