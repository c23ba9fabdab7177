import { RunnerError } from '../errors.js';

/** What is wrong with the command line, and where the commands and options are listed. */
export function usageError(message: string): RunnerError {
  return new RunnerError('E_USAGE', `${message}\nRun \`railrunner --help\` for the commands and options.`);
}
