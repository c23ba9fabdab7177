/**
 * What every rank would refuse, said once and before mpirun adds lines of its own. Ranks look again: one may be on a
 * host with another file system.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readSelection, type SelectionRequest } from '../engine/selection.js';
import type { Variables } from '../environment/variables.js';
import { RunnerError } from '../errors.js';
import type { LoadOptions } from '../job-spec/load.js';
import { requireRunnable } from '../job-spec/require-runnable.js';
import { NODE_THREADS, tasksLeft } from '../preflight/tasks.js';
import { checkRunId, makeOutFolder, runExists } from '../results/run-folder.js';

export interface StartRequest {
  readonly numRanks: number;
  readonly specPath: string;
  readonly load: LoadOptions;
  readonly outFolder: string;
  readonly runId: string | undefined;
  readonly resume: string | undefined;
  readonly selection: SelectionRequest;
  readonly variables: Variables;
}

/** Rejects with E_USAGE, E_SPEC_INVALID, E_RUN_EXISTS or E_OUTPUT. Makes the folder that runs are put into. */
export async function refuseLaunch(request: StartRequest): Promise<void> {
  const { numRanks, specPath, load, outFolder, runId, resume, selection, variables } = request;
  requireStartable(numRanks);
  if (runId !== undefined) checkRunId(runId);
  const spec = requireRunnable(specPath, numRanks, load);
  readSelection(selection, variables, spec.points.length);
  if (resume !== undefined) return;
  await makeOutFolder(outFolder);
  if (runId !== undefined && existsSync(join(outFolder, runId))) throw runExists(join(outFolder, runId));
}

/** Throws E_USAGE for a number of ranks that no machine could start, or this one. */
export function requireStartable(numRanks: number, left = tasksLeft()): void {
  if (!Number.isInteger(numRanks) || numRanks < 1) {
    throw new RunnerError('E_USAGE', `-n: expected a whole number of ranks, 1 or more, received ${numRanks}`);
  }
  const most = Math.floor(left.tasks / NODE_THREADS);
  if (numRanks <= most) return;
  throw new RunnerError(
    'E_USAGE',
    `-n: expected at most ${most} ranks on this machine, where ${left.tasks} more threads may be made ` +
      `(${left.source}) and each rank starts with ${NODE_THREADS}; received ${numRanks}`,
  );
}
