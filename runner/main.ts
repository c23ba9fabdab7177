/** The process: command line in, exit status out. The only file that ends the process by itself. */
import { runCommandLine, type JobLoaders } from './cli/index.js';
import { reportError } from './error-line.js';
import { RunnerError } from './errors.js';
import { railrunnerVersion } from './project.js';
import { knownSystemFailure } from './system-failure.js';

/** `loaders` give what belongs to the jobs when a command needs it. */
export async function main(args: readonly string[], loaders: JobLoaders): Promise<void> {
  const version = railrunnerVersion();
  // Text that Node itself or a library writes there (a deprecation, say) is not worth a run either.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    await runCommandLine(args, version, loaders);
  } catch (error) {
    process.exitCode = reportFailure(error);
  }
  // All output was written synchronously; what still holds the loop (an MPI helper's socket, a timer) must not keep
  // a rank alive that its launcher waits for.
  process.exit();
}

/** Prints why the command ended; returns the exit status. */
function reportFailure(error: unknown): number {
  const failure = error instanceof RunnerError ? error : (knownSystemFailure(error) ?? internalError(error));
  reportError(failure);
  return failure.exitStatus;
}

function internalError(error: unknown): RunnerError {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new RunnerError('E_INTERNAL', `${what}. Please report it with the command and the spec.`);
}
