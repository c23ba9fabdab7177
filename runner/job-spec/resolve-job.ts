/** One job of the document -> its resolved points: sweep, defaults, presets, rules. */
import type { Schema } from './common-schema.js';
import { fillDefaults } from './defaults.js';
import type { SpecIssue } from './issue.js';
import type { SpecFiles } from './files.js';
import { kindsByName, type SpecKind } from './spec-kind.js';
import { keysOf, pointerOf, valueAt } from './pointer.js';
import { jobSchema, propertiesOf } from './schema.js';
import { defaultsFor, stoppingIssues, stoppingOf, STOPPING_PATHS, withStopping } from './stopping.js';
import { expandSweep, sweptPointer, type SweepCombination } from './sweep.js';
import { sweepIssues } from './sweep-issues.js';
import {
  VERIFY_MODES,
  type AssumedKeys,
  type CommonJobKeys,
  type JsonObject,
  type JsonValue,
  type Point,
} from './types.js';
import { compileValidator, type Validator } from './validate.js';
import { valueOf } from '../values/items.js';
import { readFlag, readNumber, readText, readWord } from '../values/keys.js';
import { asJsonObject, isJson } from '../values/json.js';

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

/** What the document context a job says to it. */
export interface JobContext {
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
  readonly issues: readonly SpecIssue[];
}

/** Resolves one job whose `kind` is known. Issues of all points are reported; equal ones are folded by the caller. */
export function resolveJob(
  job: Readonly<Record<string, unknown>>,
  jobIndex: number,
  prepared: PreparedKind,
  context: JobContext,
): JobAnswer {
  const shape = sweepIssues(job, prepared.schema);
  if (shape.length > 0)
    return { points: [], assumed: {}, issues: [...shape, ...baseIssues(job, [], prepared)] };
  const { combinations, issues } = expandSweep(job);
  if (issues.length > 0) return { points: [], assumed: {}, issues };
  const found: SpecIssue[] = baseIssues(job, combinations, prepared);
  const points: Omit<Point, 'index'>[] = [];
  for (const combination of combinations) {
    const answer = resolveCombination(combination, jobIndex, prepared, context);
    if ('issues' in answer) {
      const seen = answer.issues.map((issue) => ({
        ...issue,
        pointer: sweptPointer(issue.pointer, combination.origins),
      }));
      found.push(...seen);
    } else points.push(answer.point);
  }
  return { points, assumed: assumedValues(combinations, points, prepared, context), issues: found };
}

/** Values of the keys that the kind derives and that neither the job nor its sweeps have. */
function assumedValues(
  combinations: readonly SweepCombination[],
  points: readonly Omit<Point, 'index'>[],
  { kind }: PreparedKind,
  context: JobContext,
): AssumedKeys['values'] {
  const isWritten = (path: string): boolean =>
    [context.defaults, context.overrides, ...combinations.map(({ job }) => job)].some(
      (keys) => valueAt(keys, path.split('.')) !== undefined,
    );
  const entries = [...STOPPING_PATHS, ...(kind.assumedKeys ?? [])]
    .filter((path) => !isWritten(path))
    .map((path): [string, JsonValue[]] => {
      const values = points.map(({ spec }) => valueAt(spec, path.split('.')));
      return [path, [...new Set(values)].filter(isJson)];
    });
  return Object.fromEntries(entries.filter(([, values]) => values.length > 0));
}

/** Issues of the job as written: a value that the sweep replaces must be legal too. */
function baseIssues(
  job: Readonly<Record<string, unknown>>,
  combinations: readonly SweepCombination[],
  prepared: PreparedKind,
): SpecIssue[] {
  const { sweep, sweepTogether, ...base } = job;
  // All combinations sweep the same keys.
  const paths = combinations
    .slice(0, 1)
    .flatMap(({ swept }) => Object.keys(swept).map((path) => path.split('.')));
  const issues = [...prepared.validate(base).issues];
  if (sweep === undefined && sweepTogether === undefined) return issues;
  // What is missing may come from the sweep: the combinations say so if it does not.
  return issues.filter((issue) => {
    const keys = keysOf(issue.pointer);
    const absent = valueAt(base, keys) === undefined;
    const fromSweep = paths.some((path) => keys.every((key, position) => path[position] === key));
    return !(absent && fromSweep);
  });
}

function resolveCombination(
  combination: SweepCombination,
  jobIndex: number,
  prepared: PreparedKind,
  context: JobContext,
): { readonly point: Omit<Point, 'index'> } | { readonly issues: readonly SpecIssue[] } {
  const known = propertiesOf(prepared.schema);
  const fixed = Object.entries(context.overrides).filter(([key]) => Object.hasOwn(known, key));
  const fixedKeys = Object.fromEntries(fixed);
  const defaults = defaultsFor(combination.job, context.defaults, prepared.kind);
  const written = { seed: context.seed, ...defaults, ...combination.job };
  const given = { ...written, ...fixedKeys };
  const { issues: illegal, knownKeysLegal } = prepared.validate(given);
  if (!knownKeysLegal) return { issues: illegal };
  const {
    $comment: _comment,
    sweep: _sweep,
    sweepTogether: _together,
    ...filled
  } = fillDefaults(given, prepared.schema);
  const rules = [...illegal, ...stoppingIssues(combination.job, filled, prepared.kind)];
  // A swept key that the environment or the command line fixes has that value in every point.
  const swept = asJsonObject(
    Object.fromEntries(
      Object.entries(combination.swept).map(([path, value]) => [path, fixedKeys[path] ?? value]),
    ),
  );
  let spec = asJsonObject(withStopping(filled));
  if (prepared.kind.resolve !== undefined) {
    const answer = prepared.kind.resolve({ spec, given: asJsonObject(written), swept, files: context.files });
    if ('issues' in answer) return { issues: [...rules, ...answer.issues] };
    spec = answer.spec;
  }
  const point = { job: commonKeys(spec), jobIndex, spec, swept, files: context.files.places };
  const issues = [...rules, ...prepared.kind.check({ ...point, index: 0 }, null)];
  return issues.length > 0 ? { issues } : { point };
}

/** The common keys of a resolved job. */
export function commonKeys(spec: JsonObject): CommonJobKeys {
  const stopping = stoppingOf(spec);
  return {
    id: readText(spec, 'id'),
    kind: readText(spec, 'kind'),
    seed: readNumber(spec, 'seed'),
    warmup: readNumber(spec, 'warmup'),
    iterations: readNumber(spec, 'iterations'),
    ...(stopping === undefined ? {} : { stopping }),
    timeoutSeconds: readNumber(spec, 'timeoutSeconds'),
    verify: readWord(spec, 'verify', VERIFY_MODES),
    freeRunning: readFlag(spec, 'freeRunning'),
    probe: readFlag(spec, 'probe'),
    saveSamples: readFlag(spec, 'saveSamples'),
  };
}

/** Issues that only a world of that size shows, with pointers into the document. */
export function worldIssues(
  points: readonly Point[],
  kinds: readonly SpecKind[],
  worldSize: number,
): SpecIssue[] {
  const byName = kindsByName(kinds);
  return points.flatMap((point) =>
    valueOf(byName, point.job.kind)
      .check(point, worldSize)
      .map((issue) => ({ ...issue, pointer: pointerOf(['jobs', point.jobIndex]) + issue.pointer })),
  );
}
