/** From a path and the command line to a resolved, frozen spec, or one error with every issue. */
import { dirname } from 'node:path';
import type { Variables } from '../environment/variables.js';
import { fillDefaults } from './defaults.js';
import { setEnvironmentKeys, type SetEnvironmentKey } from './environment-keys.js';
import { showValue, uniqueIssues, type SpecIssue } from './issue.js';
import { SpecFiles } from './files.js';
import type { SpecKind } from './spec-kind.js';
import { isObject, pointerOf } from './pointer.js';
import { readSpecDocument } from './read-spec.js';
import { prepareKind, resolveJob, type JobContext } from './resolve-job.js';
import { parseResolvedSpec, writeResolvedText, type RunKeys } from './resolved-text.js';
import { runSchema } from './schema.js';
import { applySets, type AppliedSets } from './set-values.js';
import { SpecError } from './spec-error.js';
import { bothFormsIssues } from './stopping.js';
import { suggestion } from './suggest.js';
import { totalIssues } from './sweep.js';
import {
  DEVICE_REQUESTS,
  type AssumedKeys,
  type DeviceRequest,
  type Point,
  type ResolvedSpec,
} from './types.js';
import { compileValidator, under, type Validator } from './validate.js';
import { readFlag, readNumber, readObject, readText, readWord } from '../values/keys.js';

export interface LoadOptions {
  readonly kinds: readonly SpecKind[];
  /** `path=value` in the order given. */
  readonly set?: readonly string[];
  /** Ids of the jobs to keep; absent or empty = all. */
  readonly only?: readonly string[];
  readonly device?: DeviceRequest;
  readonly ranksPerNode?: number;
  readonly timeoutSeconds?: number;
  /** Environment variables, among them those that fix keys of jobs: stronger than the spec, weaker than `set`. Absent: none. */
  readonly variables?: Variables;
}

/** Jobs are looked at one by one, each with its kind's schema. */
const DOCUMENT_SCHEMA = runSchema({ type: 'object' });
let documentValidator: Validator | undefined;

type Document = Readonly<Record<string, unknown>>;

/** Reads, validates and resolves a spec. Throws SpecError with every issue, and E_USAGE for an environment variable out of range. */
export function loadSpec(path: string, options: LoadOptions): ResolvedSpec {
  const fromEnvironment = setEnvironmentKeys(options.kinds, options.variables ?? {});
  const { document, duplicates } = readSpecDocument(path);
  const sets = applySets(document, options.set ?? []);
  if (options.device !== undefined) document['device'] = options.device;
  if (options.ranksPerNode !== undefined) document['ranksPerNode'] = options.ranksPerNode;

  const issues: SpecIssue[] = [...duplicates, ...sets.issues];
  documentValidator ??= compileValidator(DOCUMENT_SCHEMA);
  const { issues: runIssues } = documentValidator(document);
  issues.push(...runIssues);
  const filled = fillDefaults(document, DOCUMENT_SCHEMA);
  // Invalid defaults are reported at their own place, not again in every job.
  const bothForms = bothFormsIssues(isObject(document['defaults']) ? document['defaults'] : {}, '/defaults');
  issues.push(...bothForms);
  const invalidDefaults = [...runIssues, ...bothForms].some((issue) => issue.pointer.startsWith('/defaults'));
  const usable = invalidDefaults ? { ...filled, defaults: {} } : filled;
  const files = new SpecFiles([dirname(path), '.']);
  const { points, assumed } = resolveJobs(usable, { files, sets, fromEnvironment, options }, issues);
  if (issues.length > 0) throw new SpecError('E_SPEC_INVALID', path, uniqueIssues(issues));
  const run: RunKeys = {
    name: readText(filled, 'name'),
    seed: readNumber(filled, 'seed'),
    device: readWord(filled, 'device', DEVICE_REQUESTS),
    ranksPerNode: readNumber(filled, 'ranksPerNode'),
    allowSharedDevice: readFlag(filled, 'allowSharedDevice'),
  };
  const resolved = parseResolvedSpec(writeResolvedText(run, points), { ...files.places });
  return Object.freeze({ ...resolved, assumed });
}

/** What stays the same while one document is loaded. */
interface Loading {
  readonly files: SpecFiles;
  readonly sets: AppliedSets;
  readonly fromEnvironment: readonly SetEnvironmentKey[];
  readonly options: LoadOptions;
}

/** Points of the jobs that are asked for; adds what is wrong to `issues`. */
function resolveJobs(
  document: Document,
  request: Loading,
  issues: SpecIssue[],
): { readonly points: readonly Omit<Point, 'index'>[]; readonly assumed: readonly AssumedKeys[] } {
  const { options } = request;
  const jobs = Array.isArray(document['jobs']) ? (document['jobs'] as unknown[]) : [];
  const only = options.only ?? [];
  const isAskedFor = (job: Document): boolean => only.length === 0 || only.includes(String(job['id']));
  const tooMany = totalIssues(jobs.filter(isObject).filter(isAskedFor));
  issues.push(...idIssues(jobs), ...onlyIssues(jobs, only), ...tooMany);
  if (tooMany.length > 0) return { points: [], assumed: [] };
  const points: Omit<Point, 'index'>[] = [];
  const assumed: AssumedKeys[] = [];
  for (const [index, job] of jobs.entries()) {
    if (!isObject(job)) continue;
    const kind = options.kinds.find((candidate) => candidate.kind === job['kind']);
    if (kind === undefined) {
      issues.push(kindIssue(job['kind'], index, options.kinds));
      continue;
    }
    const context = jobContext(document, index, request);
    const answer = resolveJob(job, index, prepareKind(kind), context);
    issues.push(...under(['jobs', index], answer.issues));
    // Every job is checked; only those asked for run.
    if (isAskedFor(job)) {
      points.push(...answer.points);
      assumed.push({ jobId: String(job['id']), values: answer.assumed });
    }
  }
  return { points, assumed };
}

function jobContext(
  document: Document,
  index: number,
  { sets, options, fromEnvironment, files }: Loading,
): JobContext {
  const isSet = (key: string): boolean =>
    sets.written.some((keys) => keys[0] === 'jobs' && keys[1] === String(index) && keys[2] === key);
  const environment = fromEnvironment
    .filter(({ key }) => !isSet(key))
    .map(({ key, value }): [string, number] => [key, value]);
  const timeout = options.timeoutSeconds === undefined ? {} : { timeoutSeconds: options.timeoutSeconds };
  const { seed: own } = document;
  const seed = typeof own === 'number' && Number.isSafeInteger(own) ? own : 0;
  return {
    seed,
    defaults: readObject(document, 'defaults'),
    overrides: { ...Object.fromEntries(environment), ...timeout },
    files,
  };
}

function kindIssue(kind: unknown, index: number, kinds: readonly SpecKind[]): SpecIssue {
  const words = kinds.map((candidate) => candidate.kind);
  return {
    pointer: pointerOf(['jobs', index, 'kind']),
    expected: `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`,
    received: showValue(kind),
    ...(typeof kind === 'string' ? { hint: suggestion(kind, words) } : {}),
  };
}

function idIssues(jobs: readonly unknown[]): SpecIssue[] {
  const first = new Map<string, number>();
  const issues: SpecIssue[] = [];
  for (const [index, job] of jobs.entries()) {
    const id = isObject(job) ? job['id'] : undefined;
    if (typeof id !== 'string') continue;
    const earlier = first.get(id);
    if (earlier === undefined) first.set(id, index);
    else {
      const pointer = pointerOf(['jobs', index, 'id']);
      const hint = 'rows and --only name jobs by id: give this one another';
      const received = `${JSON.stringify(id)}, which /jobs/${earlier} has already`;
      issues.push({ pointer, expected: 'an id that no other job has', received, hint });
    }
  }
  return issues;
}

function onlyIssues(jobs: readonly unknown[], only: readonly string[]): SpecIssue[] {
  const ids = jobs.flatMap((job) => (isObject(job) && typeof job['id'] === 'string' ? [job['id']] : []));
  return only
    .filter((id) => !ids.includes(id))
    .map((id) => ({
      pointer: '/jobs',
      expected: '--only with ids of jobs in the spec',
      received: `--only ${id}`,
      hint: suggestion(id, ids),
    }));
}
