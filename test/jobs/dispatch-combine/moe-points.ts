/** Resolved dispatchCombine jobs for tests, by the same path as a spec. */
import { dispatchCombine } from '../../../jobs/dispatch-combine/index.js';
import type { MoeSpec } from '../../../jobs/dispatch-combine/moe-spec.js';
import { SpecFiles } from '../../../runner/job-spec/files.js';
import { prepareKind, resolveJob } from '../../../runner/job-spec/resolve-job.js';
import type { SpecIssue } from '../../../runner/job-spec/issue.js';

export const SMALL_JOB = {
  id: 'moe',
  kind: 'dispatchCombine',
  hidden: 256,
  numTopk: 4,
  numExperts: 16,
  numTokens: 12,
  maxDispatchTokensPerRank: 16,
} as const;

type Job = Readonly<Record<string, unknown>>;

/** The small job, changed as asked for. */
export function resolveMoeJob(job: Job, folder = '.'): ReturnType<typeof resolveJob> {
  return resolve({ ...SMALL_JOB, ...job }, folder);
}

function resolve(job: Job, folder: string): ReturnType<typeof resolveJob> {
  const files = new SpecFiles([folder]);
  const around = { seed: 3, defaults: {}, overrides: {}, files };
  return resolveJob(job, 0, prepareKind(dispatchCombine), around);
}

/** The one point of a legal job. */
export function moeSpec(job: Job = {}, folder = '.'): MoeSpec {
  return moeSpecOf({ ...SMALL_JOB, ...job }, folder);
}

/** The same of a job of which all keys are given. */
export function moeSpecOf(job: Job, folder = '.'): MoeSpec {
  const { points, issues } = resolve(job, folder);
  const [point] = points;
  if (point === undefined || issues.length > 0) throw new Error(JSON.stringify(issues));
  return point.spec as unknown as MoeSpec;
}

/** Issues of a job; with a world's size also those that only it shows. */
export function moeFaultsOf(job: Job, worldSize: number | null = null, folder = '.'): readonly SpecIssue[] {
  const { points, issues } = resolveMoeJob(job, folder);
  const [point] = points;
  if (point === undefined || issues.length > 0) return issues;
  return dispatchCombine.check({ ...point, index: 0 }, worldSize);
}
