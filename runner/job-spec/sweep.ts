/** Expands a job's sweep: the product of its lists, in key order, the first key varying slowest. */
import { MAX_POINTS } from './common-schema.js';
import type { Schema } from './common-schema.js';
import { showValue } from './issue.js';
import type { Fault } from './issue.js';
import { isObject, keysOf, pointerOf, valueAt, writeAt } from './pointer.js';
import { keysInSchema } from './schema.js';
import { suggestion } from './suggest.js';

/** One member of the product, not yet validated. */
export interface SweepMember {
  /** The job's keys without `sweep`, swept values written in. */
  readonly job: Record<string, unknown>;
  /** Dotted key path -> value. */
  readonly swept: Readonly<Record<string, unknown>>;
  /** Dotted key path -> index in its list. */
  readonly indices: Readonly<Record<string, number>>;
}

export interface SweepAnswer {
  readonly members: readonly SweepMember[];
  readonly faults: readonly Fault[];
}

const NOT_SWEPT = new Set(['id', 'kind', 'sweep']);

/** Faults of the sweep itself (paths, lists), pointers relative to the job. */
function pathFaults(sweep: Readonly<Record<string, unknown>>, schema: Schema): Fault[] {
  const faults: Fault[] = [];
  for (const path of Object.keys(sweep)) {
    const walked: string[] = [];
    let place: Schema = schema;
    for (const key of path.split('.')) {
      const known = keysInSchema(place, schema);
      const names = Object.keys(known).filter((name) => walked.length > 0 || !NOT_SWEPT.has(name));
      if (!names.includes(key)) {
        const where = walked.length === 0 ? 'the job' : walked.join('.');
        const hint = names.length === 0 ? `${where} has no keys inside` : suggestion(key, names);
        const expected = `a dotted path of keys that can be swept; ${where} has no ${showValue(key)}`;
        faults.push({ pointer: pointerOf(['sweep', path]), expected, received: showValue(path), hint });
        break;
      }
      walked.push(key);
      place = known[key] ?? {};
    }
    const outer = Object.keys(sweep).find((other) => path.startsWith(`${other}.`));
    if (outer === undefined) continue;
    const expected = 'paths that do not lie inside each other';
    faults.push({ pointer: pointerOf(['sweep', path]), expected, received: `${path} inside ${outer}` });
  }
  return faults;
}

/** Faults of the sweep's own shape; with any of them there is no product to look at. */
export function sweepFaults(sweep: unknown, schema: Schema): Fault[] {
  if (sweep === undefined) return [];
  const pointer = '/sweep';
  if (!isObject(sweep)) {
    return [{ pointer, expected: 'object of dotted key path -> list', received: showValue(sweep) }];
  }
  const faults = pathFaults(sweep, schema);
  let product = 1;
  for (const [path, list] of Object.entries(sweep)) {
    if (Array.isArray(list) && list.length > 0) {
      product *= list.length;
      continue;
    }
    const hint = 'a single value belongs into the job itself';
    faults.push({
      pointer: pointerOf(['sweep', path]),
      expected: 'non-empty list',
      received: showValue(list),
      hint,
    });
  }
  if (product > MAX_POINTS) {
    faults.push({
      pointer,
      expected: `a product of at most ${MAX_POINTS} points`,
      received: `${product} points`,
    });
  }
  return faults;
}

/** The product. `sweep` has passed sweepFaults. */
export function expandSweep(job: Readonly<Record<string, unknown>>): SweepAnswer {
  const { sweep, ...base } = job;
  const axes = Object.entries((sweep ?? {}) as Record<string, readonly unknown[]>);
  const total = axes.reduce((product, [, list]) => product * list.length, 1);
  const members: SweepMember[] = [];
  const faults: Fault[] = [];
  for (let ordinal = 0; ordinal < total; ordinal++) {
    const member = { job: structuredClone(base), swept: {}, indices: {} };
    let rest = ordinal;
    for (const [path, list] of [...axes].reverse()) {
      const index = rest % list.length;
      rest = Math.floor(rest / list.length);
      const value = structuredClone(list[index]);
      Object.assign(member.indices, { [path]: index });
      Object.assign(member.swept, { [path]: value });
      if (writeAt(member.job, path.split('.'), value)) continue;
      const received = `a value on the way that is not an object: ${showValue(valueAt(base, path.split('.').slice(0, 1)))}`;
      faults.push({ pointer: pointerOf(['sweep', path]), expected: 'a path through objects', received });
    }
    // Written from the last axis on, so that the product counts right; shown in the spec's order.
    const swept = Object.fromEntries(
      axes.map(([path]) => [path, (member.swept as Record<string, unknown>)[path]]),
    );
    members.push({ ...member, swept });
  }
  return { members, faults };
}

/** A pointer into a point, seen from the job: under `sweep` where the value came from there. */
export function sweptPointer(pointer: string, indices: Readonly<Record<string, number>>): string {
  const keys = keysOf(pointer);
  for (const [path, index] of Object.entries(indices)) {
    const axis = path.split('.');
    if (axis.every((key, position) => keys[position] === key)) {
      return pointerOf(['sweep', path, index, ...keys.slice(axis.length)]);
    }
  }
  return pointer;
}
