/** The work of `validate`: one line a good spec, every issue of a bad one. */
import { errorLine } from '../error-line.js';
import { EXIT, RunnerError } from '../errors.js';
import { loadSpec, type LoadOptions } from '../job-spec/load.js';
import type { CommandResult } from './command-result.js';

export function validateSpecs(paths: readonly string[], load: LoadOptions): CommandResult {
  const good: string[] = [];
  const bad: string[] = [];
  for (const path of paths) {
    try {
      const spec = loadSpec(path, load);
      const counts = `${spec.jobs.length} jobs, ${spec.points.length} points`;
      good.push(`${path}: ok (${counts}, digest ${spec.digest.slice(0, 12)})`);
    } catch (error) {
      if (!(error instanceof RunnerError)) throw error;
      bad.push(errorLine(error));
    }
  }
  return {
    stdout: good.join('\n'),
    stderr: bad.join('\n\n'),
    exitStatus: bad.length === 0 ? EXIT.ok : EXIT.usage,
  };
}
