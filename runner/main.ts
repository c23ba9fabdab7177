/** The process: command line in, exit status out. The only file that ends the process by itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommandLine, type JobLoaders } from './cli/index.js';
import { EXIT, RunnerError } from './errors.js';

import { printError } from './print.js';
import { projectRoot } from './project.js';
import { knownSystemFailure } from './system-failure.js';

/** `loaders` give what belongs to the jobs when a command needs it. */
export async function main(args: readonly string[], loaders: JobLoaders): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  // Text that Node itself or a library writes there (a deprecation, say) is not worth a run either.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    await runCommandLine(args, version, loaders);
  } catch (error) {
    process.exitCode = describe(error);
  }
  // All output was written synchronously; what still holds the loop (an MPI helper's socket, a timer) must not keep
  // a rank alive that its launcher waits for.
  process.exit();
}

/** Prints why the command ended; returns the exit status. */
function describe(error: unknown): number {
  if (error instanceof RunnerError) {
    const help = error.code === 'E_USAGE' ? '\nRun `railrunner --help` for the commands and options.' : '';
    printError(`railrunner: ${error.message}${help}`);
    return error.exitStatus;
  }
  const known = knownSystemFailure(error);
  if (known !== undefined) {
    printError(`railrunner: ${known.message}`);
    return known.exitStatus;
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  printError(`railrunner: unexpected failure: ${what}. Please report it with the command and the spec.`);
  return EXIT.failed;
}
