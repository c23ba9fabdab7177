/** Specs for tests: a legal job of each kind, written to a folder of the test's own and loaded as a user would. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JOB_KINDS } from '../../../jobs/index.js';
import type { SpecIssue } from '../../../runner/job-spec/issue.js';
import { loadSpec, type LoadOptions } from '../../../runner/job-spec/load.js';
import { SpecError } from '../../../runner/job-spec/spec-error.js';
import { firstOf } from '../../../runner/values/items.js';
import type { ResolvedSpec } from '../../../runner/job-spec/types.js';

type Json = Record<string, unknown>;

/** The golden geometry: region 64 B, layer 128 B, natural block 256 B. */
export const goldenLayout = {
  kind: 'fullyContiguous',
  numLayers: 2,
  outerDim: 2,
  pageSize: 4,
  innerDim: 8,
} as const;

export function offloadJob(changes: Json = {}): Json {
  return {
    id: 'down',
    kind: 'offload',
    from: 'device',
    to: 'host',
    layout: { ...goldenLayout },
    pools: { deviceBlocks: 16, hostBlocks: 32, diskBlocks: 64 },
    blocks: 4,
    ...changes,
  };
}

export function onboardJob(changes: Json = {}): Json {
  return offloadJob({ id: 'up', kind: 'onboard', from: 'host', to: 'device', ...changes });
}

type Options = Omit<LoadOptions, 'kinds'>;

/** Loads a document, or any text, from a file. */
export function load(
  document: unknown,
  options: Options = {},
  files: Readonly<Record<string, string>> = {},
): ResolvedSpec {
  const folder = mkdtempSync(join(tmpdir(), 'railrunner-spec-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const path = join(folder, 'spec.json');
    writeFileSync(path, typeof document === 'string' ? document : JSON.stringify(document));
    return loadSpec(path, { kinds: JOB_KINDS, ...options });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function loadJob(
  job: Json,
  options: Options = {},
  files: Readonly<Record<string, string>> = {},
): ResolvedSpec {
  return load({ jobs: [job] }, options, files);
}

/** The spec of a job's first point, as its kind reads it. */
export function specOfJob<Spec>(
  job: Json,
  options: Options = {},
  files: Readonly<Record<string, string>> = {},
): Spec {
  return firstOf(loadJob(job, options, files).points).spec as unknown as Spec;
}

/** The error that an action ends in; it must be a SpecError. */
export function specErrorOf(action: () => unknown): SpecError {
  try {
    action();
  } catch (error) {
    if (error instanceof SpecError) return error;
    throw error;
  }
  throw new Error('expected a SpecError, and nothing was thrown');
}

export function issuesOf(
  document: unknown,
  options: Options = {},
  files: Readonly<Record<string, string>> = {},
): readonly SpecIssue[] {
  return specErrorOf(() => load(document, options, files)).issues;
}

export function jobIssues(
  job: Json,
  options: Options = {},
  files: Readonly<Record<string, string>> = {},
): readonly SpecIssue[] {
  return issuesOf({ jobs: [job] }, options, files);
}

/** Pointer and received of each issue, enough to say which rule spoke. */
export function brief(issues: readonly SpecIssue[]): string[] {
  return issues.map(({ pointer, received }) => `${pointer}: ${received}`);
}
