/** The work of `validate`: one line a good spec, every fault of a bad one. */
import { EXIT, RunnerError } from '../errors.js';
import type { JobKind } from '../job/kind.js';
import { loadSpec } from '../job-spec/load.js';
import type { CommandResult } from './command-result.js';
import { loadOptions } from './spec-options.js';
import type { SpecArguments } from './spec-options.js';

export function validateSpecs(
  paths: readonly string[],
  argv: SpecArguments,
  kinds: readonly JobKind[],
): CommandResult {
  const good: string[] = [];
  const bad: string[] = [];
  for (const path of paths) {
    try {
      const spec = loadSpec(path, loadOptions(argv, kinds));
      const counts = `${spec.jobs.length} jobs, ${spec.points.length} points`;
      good.push(`${path}: ok (${counts}, digest ${spec.digest.slice(0, 12)})`);
    } catch (error) {
      if (!(error instanceof RunnerError)) throw error;
      bad.push(`${error.code} ${error.message}`);
    }
  }
  return {
    stdout: good.join('\n'),
    stderr: bad.join('\n\n'),
    exitStatus: bad.length === 0 ? EXIT.ok : EXIT.usage,
  };
}
