/** `--set path=value`: changes the document before it is validated, so that a set value meets the same rules. */
import type { SpecIssue } from './issue.js';
import { readJsonText } from './json-text.js';
import { isObject, pointerOf, writeAt, valueAt } from './pointer.js';

type Job = Readonly<Record<string, unknown>>;

export interface AppliedSets {
  readonly issues: readonly SpecIssue[];
  /** Key paths into the document that were written, job indices as strings. */
  readonly written: readonly (readonly string[])[];
}

/** The value's JSON, or the text itself where it is not JSON. */
function valueOf(text: string): unknown {
  const read = readJsonText(text);
  return read.kind === 'value' ? read.value : text;
}

/** Keys of `jobs` that one path segment means: an index, a job's id, or `*` for all. */
function jobKeys(jobs: readonly unknown[], segment: string): string[] {
  if (segment === '*') return jobs.map((_, index) => String(index));
  if (/^\d+$/.test(segment) && Number(segment) < jobs.length) return [String(Number(segment))];
  const index = jobs.findIndex((job) => isObject(job) && job['id'] === segment);
  return index < 0 ? [] : [String(index)];
}

/** Paths into the document that a dotted path means. What follows `sweep` is one key, dots and all. */
function pathsOf(document: Record<string, unknown>, path: string): string[][] {
  const segments = path.split('.');
  if (segments[0] !== 'jobs') return [segments];
  const jobs = document['jobs'];
  if (!Array.isArray(jobs) || segments.length < 3) return [];
  const rest = segments.slice(2);
  const inner = rest[0] === 'sweep' && rest.length > 1 ? ['sweep', rest.slice(1).join('.')] : rest;
  return jobKeys(jobs, segments[1] ?? '').map((key) => ['jobs', key, ...inner]);
}

/** Whether the value now stands there, and in which job. */
function write(
  document: Record<string, unknown>,
  keys: readonly string[],
  value: unknown,
): { readonly landed: boolean; readonly job?: Job } {
  if (keys[0] !== 'jobs') return { landed: writeAt(document, keys, value) };
  const job = valueAt(document, keys.slice(0, 2));
  if (!isObject(job)) return { landed: false };
  return { landed: writeAt(job, keys.slice(2), structuredClone(value)), job };
}

/** Applies every `path=value` in order to `document`, in place. */
export function applySets(document: Record<string, unknown>, sets: readonly string[]): AppliedSets {
  const issues: SpecIssue[] = [];
  const written: string[][] = [];
  for (const set of sets) {
    const split = set.indexOf('=');
    const path = split < 0 ? set : set.slice(0, split);
    const hostile = path.split('.').some((key) => key === '' || key === '__proto__');
    if (split < 1 || hostile) {
      const hint = 'for example --set jobs.0.blocks=16 or --set device=host';
      issues.push({ pointer: '', expected: '--set path=value', received: `--set ${set}`, hint });
      continue;
    }
    const keyPaths = pathsOf(document, path);
    const value = valueOf(set.slice(split + 1));
    const landed = keyPaths
      .map((keys) => ({ keys, ...write(document, keys, value) }))
      .filter((each) => each.landed);
    written.push(...landed.map(({ keys }) => keys));
    if (landed.length === 0 || landed.length < keyPaths.length) issues.push(unknownPath(document, set, path));
    issues.push(...landed.flatMap(({ keys, job }) => (job === undefined ? [] : sweptIssue(job, set, keys))));
  }
  return { issues, written };
}

/** A value for a key that its job sweeps would never be read: every point has one of the sweep's. */
function sweptIssue(job: Job, set: string, [, index = '', ...rest]: readonly string[]): SpecIssue[] {
  const key = rest.join('.');
  const { sweep, sweepTogether } = job;
  const name = typeof job['id'] === 'string' ? job['id'] : index;
  const expected = 'a key that the job does not sweep';
  if (isObject(sweep) && Object.hasOwn(sweep, key)) {
    const hint = `the points take their values from the sweep: --set jobs.${name}.sweep.${key}=[...]`;
    return [{ pointer: pointerOf(['jobs', index, 'sweep', key]), expected, received: `--set ${set}`, hint }];
  }
  const isRow = (row: unknown): boolean => isObject(row) && Object.hasOwn(row, key);
  if (!Array.isArray(sweepTogether) || !sweepTogether.some(isRow)) return [];
  const hint = `the points take their values from the rows: --set jobs.${name}.sweepTogether=[...]`;
  return [{ pointer: pointerOf(['jobs', index, 'sweepTogether']), expected, received: `--set ${set}`, hint }];
}

function unknownPath(document: Record<string, unknown>, set: string, path: string): SpecIssue {
  const jobs = document['jobs'];
  const ids = Array.isArray(jobs)
    ? jobs.map((job, index) => (isObject(job) && typeof job['id'] === 'string' ? job['id'] : String(index)))
    : [];
  return {
    pointer: pointerOf(path.split('.')),
    expected: 'a path to a key: name, device, defaults.KEY, jobs.INDEX.KEY, jobs.ID.KEY or jobs.*.KEY',
    received: `--set ${set}`,
    ...(ids.length > 0 ? { hint: `jobs here: ${ids.slice(0, 20).join(', ')}` } : {}),
  };
}
