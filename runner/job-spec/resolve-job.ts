/** One job of the document -> its resolved points: sweep, defaults, presets, rules. */
import type { Schema } from './common-schema.js';
import { RUN_DEFAULT_KEYS } from './common-schema.js';
import { fillDefaults } from './defaults.js';
import type { Fault } from './issue.js';
import type { SpecFiles } from './files.js';
import type { SpecKind } from './spec-kind.js';
import { keysOf, pointerOf, valueAt } from './pointer.js';
import { jobSchema, propertiesOf } from './schema.js';
import { expandSweep, sweptPointer } from './sweep.js';
import { sweepFaults } from './sweep-faults.js';
import type { SweepMember } from './sweep.js';
import type { AssumedKeys, CommonJobKeys, JsonObject, JsonValue, Point } from './types.js';
import { compileValidator } from './validate.js';
import type { Validator } from './validate.js';

/** A kind with its schema compiled. */
export interface PreparedKind {
  readonly kind: SpecKind;
  readonly schema: Schema;
  readonly validate: Validator;
}

const preparedKinds = new WeakMap<SpecKind, PreparedKind>();

/** Compiling takes tens of milliseconds, more than all the rest of a load: once per process is enough. */
export function prepareKind(kind: SpecKind): PreparedKind {
  let prepared = preparedKinds.get(kind);
  if (prepared === undefined) {
    const schema = jobSchema(kind);
    prepared = { kind, schema, validate: compileValidator(schema) };
    preparedKinds.set(kind, prepared);
  }
  return prepared;
}

/** What the document around a job says to it. */
export interface JobSurroundings {
  readonly seed: number;
  /** The document's `defaults`. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Keys that the command line or the environment fixes, where the kind has them. */
  readonly overrides: Readonly<Record<string, unknown>>;
  readonly files: SpecFiles;
}

export interface JobAnswer {
  /** Without index over the run: the caller numbers them. */
  readonly points: readonly Omit<Point, 'index'>[];
  readonly assumed: AssumedKeys['values'];
  /** Pointers relative to the job. */
  readonly faults: readonly Fault[];
}

/** Resolves one job whose `kind` is known. Faults of all points are reported; equal ones are folded by the caller. */
export function resolveJob(
  job: Readonly<Record<string, unknown>>,
  jobIndex: number,
  prepared: PreparedKind,
  around: JobSurroundings,
): JobAnswer {
  const shape = sweepFaults(job, prepared.schema);
  if (shape.length > 0)
    return { points: [], assumed: {}, faults: [...shape, ...baseFaults(job, {}, prepared)] };
  const { members, faults } = expandSweep(job);
  if (faults.length > 0) return { points: [], assumed: {}, faults };
  const found: Fault[] = baseFaults(job, members[0]?.swept ?? {}, prepared);
  const points: Omit<Point, 'index'>[] = [];
  for (const member of members) {
    const answer = resolveMember(member, jobIndex, prepared, around);
    if ('faults' in answer) {
      const seen = answer.faults.map((fault) => ({
        ...fault,
        pointer: sweptPointer(fault.pointer, member.origins),
      }));
      found.push(...seen);
    } else points.push(answer.point);
  }
  return { points, assumed: assumedValues(members, points, prepared, around), faults: found };
}

/** Values of the keys that the kind derives and that neither the job nor its sweeps have. */
function assumedValues(
  members: readonly SweepMember[],
  points: readonly Omit<Point, 'index'>[],
  { kind }: PreparedKind,
  around: JobSurroundings,
): AssumedKeys['values'] {
  const isWritten = (path: string): boolean =>
    [around.defaults, around.overrides, ...members.map(({ job }) => job)].some(
      (keys) => valueAt(keys, path.split('.')) !== undefined,
    );
  const entries = (kind.assumedKeys ?? [])
    .filter((path) => !isWritten(path))
    .map((path): [string, JsonValue[]] => {
      const values = points.map(({ spec }) => valueAt(spec, path.split('.')) as JsonValue | undefined);
      return [path, [...new Set(values)].filter((value) => value !== undefined)];
    });
  return Object.fromEntries(entries.filter(([, values]) => values.length > 0));
}

/** Faults of the job as written: a value that the sweep replaces must be legal too. */
function baseFaults(
  job: Readonly<Record<string, unknown>>,
  firstSwept: Readonly<Record<string, unknown>>,
  prepared: PreparedKind,
): Fault[] {
  const { sweep, sweepTogether, ...base } = job;
  const paths = Object.keys(firstSwept).map((path) => path.split('.'));
  const faults = [...prepared.validate(base).faults];
  if (sweep === undefined && sweepTogether === undefined) return faults;
  // What is missing may come from the sweep: the members say so if it does not.
  return faults.filter((fault) => {
    const keys = keysOf(fault.pointer);
    const absent = valueAt(base, keys) === undefined;
    const fromSweep = paths.some((path) => keys.every((key, position) => path[position] === key));
    return !(absent && fromSweep);
  });
}

function resolveMember(
  member: SweepMember,
  jobIndex: number,
  prepared: PreparedKind,
  around: JobSurroundings,
): { readonly point: Omit<Point, 'index'> } | { readonly faults: readonly Fault[] } {
  const known = propertiesOf(prepared.schema);
  const fixed = Object.entries(around.overrides).filter(([key]) => Object.hasOwn(known, key));
  const fixedKeys = Object.fromEntries(fixed);
  const written = { seed: around.seed, ...around.defaults, ...member.job };
  const given = { ...written, ...fixedKeys };
  const { faults: illegal, knownKeysLegal } = prepared.validate(given);
  if (!knownKeysLegal) return { faults: illegal };
  const {
    $comment: _comment,
    sweep: _sweep,
    sweepTogether: _together,
    ...filled
  } = fillDefaults(given, prepared.schema) as Record<string, unknown>;
  // A swept key that the environment or the command line fixes has that value in every point.
  const swept = Object.fromEntries(
    Object.entries(member.swept).map(([path, value]) => [path, fixedKeys[path] ?? value]),
  ) as JsonObject;
  let spec = filled as JsonObject;
  if (prepared.kind.resolve !== undefined) {
    const answer = prepared.kind.resolve({ spec, given: written as JsonObject, swept, files: around.files });
    if ('faults' in answer) return { faults: [...illegal, ...answer.faults] };
    spec = answer.spec;
  }
  const point = { job: commonKeys(spec), jobIndex, spec, swept, files: around.files.places };
  const faults = [...illegal, ...prepared.kind.check({ ...point, index: 0 }, null)];
  return faults.length > 0 ? { faults } : { point };
}

/** The common keys of a resolved job. */
export function commonKeys(spec: JsonObject): CommonJobKeys {
  const names = ['id', 'kind', 'seed', ...Object.keys(RUN_DEFAULT_KEYS)];
  return Object.fromEntries(names.map((name) => [name, spec[name]])) as unknown as CommonJobKeys;
}

/** Faults that only a world of that size shows, with pointers into the document. */
export function worldFaults(
  points: readonly Point[],
  kinds: readonly SpecKind[],
  worldSize: number,
): Fault[] {
  const byName = new Map(kinds.map((kind) => [kind.kind, kind]));
  return points.flatMap((point) => {
    const faults = byName.get(point.job.kind)?.check(point, worldSize) ?? [];
    return faults.map((fault) => ({
      ...fault,
      pointer: pointerOf(['jobs', point.jobIndex]) + fault.pointer,
    }));
  });
}
