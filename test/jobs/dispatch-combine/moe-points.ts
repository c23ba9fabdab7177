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

function resolve(job: Job, folder: string): ReturnType<typeof resolveJob> {
  const files = new SpecFiles([folder]);
  const around = { seed: 3, defaults: {}, overrides: {}, files };
  return resolveJob({ ...SMALL_JOB, ...job }, 0, prepareKind(dispatchCombine), around);
}

/** The one point of a legal job. */
export function moeSpec(job: Job = {}, folder = '.'): MoeSpec {
  const { points, issues } = resolve(job, folder);
  const [point] = points;
  if (point === undefined || issues.length > 0) throw new Error(JSON.stringify(issues));
  return point.spec as unknown as MoeSpec;
}

/** Issues of a job; with a world's size also those that only it shows. */
export function moeFaultsOf(job: Job, worldSize: number | null = null, folder = '.'): readonly SpecIssue[] {
  const { points, issues } = resolve(job, folder);
  const [point] = points;
  if (point === undefined || issues.length > 0) return issues;
  return dispatchCombine.check({ ...point, index: 0 }, worldSize);
}
