/** A spec that a world of that size can run, with everything that is wrong with it said at once. */
import { loadSpec, type LoadOptions } from './load.js';
import { worldIssues } from './resolve-job.js';
import { SpecError } from './spec-error.js';
import type { ResolvedSpec } from './types.js';

/** Throws SpecError where the spec is illegal, or no world of `worldSize` ranks can run it. */
export function requireRunnable(path: string, worldSize: number, load: LoadOptions): ResolvedSpec {
  const spec = loadSpec(path, load);
  const issues = worldIssues(spec.points, load.kinds, worldSize);
  if (issues.length > 0) throw new SpecError('E_SPEC_INVALID', path, issues);
  return spec;
}
