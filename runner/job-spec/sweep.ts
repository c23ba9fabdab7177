/**
 * Expands a job's sweep into combinations: the rows of `sweepTogether`, and for each the product of the lists of `sweep`
 * in key order, the first key varying slowest.
 */
import { MAX_POINTS } from './common-schema.js';
import { showValue, type SpecIssue } from './issue.js';
import { isObject, keysOf, pointerOf, writeAt } from './pointer.js';

/** One combination of swept values, not yet validated. */
export interface SweepCombination {
  /** The job's keys without sweeps, swept values written in. */
  readonly job: Record<string, unknown>;
  /** Dotted key path -> value, in the spec's order. */
  readonly swept: Readonly<Record<string, unknown>>;
  /** Dotted key path -> where its value stands in the job: keys of a JSON Pointer. */
  readonly origins: Origins;
}

export type Origins = Readonly<Record<string, readonly (string | number)[]>>;

export interface SweepAnswer {
  readonly combinations: readonly SweepCombination[];
  readonly issues: readonly SpecIssue[];
}

/** One value of an axis: dotted key path -> value, and its pointer. */
interface AxisEntry {
  readonly values: Readonly<Record<string, unknown>>;
  readonly originOf: (path: string) => readonly (string | number)[];
}

type Axis = readonly AxisEntry[];
type Job = Readonly<Record<string, unknown>>;

/** Slowest first. Sweeps have passed sweepIssues. */
function axesOf(job: Job): Axis[] {
  const { sweep, sweepTogether } = job;
  const rows = Array.isArray(sweepTogether) ? sweepTogether.filter(isObject) : [];
  const together = rows.map((values, row): AxisEntry => ({
    values,
    originOf: (path) => ['sweepTogether', row, path],
  }));
  const product = Object.entries(isObject(sweep) ? sweep : {}).map(([path, list]) =>
    [list].flat().map((value, index): AxisEntry => ({
      values: { [path]: value },
      originOf: () => ['sweep', path, index],
    })),
  );
  return [...(together.length > 0 ? [together] : []), ...product];
}

/** Number of combinations; 1 without a sweep. */
function countCombinations(job: Job): number {
  return axesOf(job).reduce((count, axis) => count * axis.length, 1);
}

/** Every combination. Sweeps have passed sweepIssues. */
export function expandSweep(job: Job): SweepAnswer {
  const { sweep: _sweep, sweepTogether: _together, ...base } = job;
  const combinations: SweepCombination[] = [];
  const issues: SpecIssue[] = [];
  for (const entries of productOf(axesOf(job))) {
    const combination = structuredClone(base);
    const swept: Record<string, unknown> = {};
    const origins: Record<string, readonly (string | number)[]> = {};
    for (const { values, originOf } of entries) {
      for (const [path, value] of Object.entries(values)) {
        const origin = originOf(path);
        swept[path] = structuredClone(value);
        origins[path] = origin;
        if (!writeAt(combination, path.split('.'), swept[path])) issues.push(brokenPath(base, path, origin));
      }
    }
    combinations.push({ job: combination, swept, origins });
  }
  return { combinations, issues };
}

/** One entry of each axis, the first axis varying slowest. */
function productOf(axes: readonly Axis[]): AxisEntry[][] {
  return axes.reduce<AxisEntry[][]>(
    (combinations, axis) => combinations.flatMap((sofar) => axis.map((entry) => [...sofar, entry])),
    [[]],
  );
}

function brokenPath(base: Job, path: string, origin: readonly (string | number)[]): SpecIssue {
  const received = `a value along the path that is not an object: ${showValue(base[path.split('.')[0] ?? ''])}`;
  const pointer = pointerOf(origin.slice(0, origin[0] === 'sweep' ? 2 : 3));
  return { pointer, expected: 'a path through objects', received };
}

/** A pointer into a combination, relative to the job: the place of the swept value. */
export function sweptPointer(pointer: string, origins: Origins): string {
  const keys = keysOf(pointer);
  for (const [path, origin] of Object.entries(origins)) {
    const axis = path.split('.');
    if (axis.every((key, position) => keys[position] === key)) {
      return pointerOf([...origin, ...keys.slice(axis.length)]);
    }
  }
  return pointer;
}

/** More combinations of a job than a run may have, before any is made. */
export function productIssues(job: Job): SpecIssue[] {
  const count = countCombinations(job);
  if (count <= MAX_POINTS) return [];
  const pointer =
    isObject(job['sweep']) && Object.keys(job['sweep']).length > 0 ? '/sweep' : '/sweepTogether';
  return [{ pointer, expected: `a product of at most ${MAX_POINTS} points`, received: `${count} points` }];
}

/** The same of all jobs together; a job that has too many by itself says so itself. */
export function totalIssues(jobs: readonly Job[]): SpecIssue[] {
  const total = jobs
    .map(countCombinations)
    .filter((count) => count <= MAX_POINTS)
    .reduce((sum, count) => sum + count, 0);
  if (total <= MAX_POINTS) return [];
  return [
    { pointer: '/jobs', expected: `at most ${MAX_POINTS} points in a run`, received: `${total} points` },
  ];
}
