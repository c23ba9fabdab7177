/** The last place for rows that their own file did not take: measured once, lost never. */
import { writeFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { RunnerError, codeOf, toRunnerError } from '../errors.js';
import { UnwrittenRowsError } from './output-errors.js';

/**
 * Copies the rows to a new file in TMPDIR, named by run, file and process, or by `say` to standard error where that fails too.
 * Returns the error with the place in its message.
 */
export function rescueRows(
  failure: UnwrittenRowsError,
  runId: string,
  say: (text: string) => void,
  folder = tmpdir(),
): RunnerError {
  const name = `railrunner-${runId}-${process.pid}-${basename(failure.path)}`;
  const path = join(folder, name);
  let place: string;
  try {
    try {
      // Never through a link or over a file that somebody has put there.
      writeFileSync(path, failure.text, { flag: 'wx', mode: 0o600 });
      place = path;
    } catch (error) {
      // Half a copy would be taken for a whole one.
      /* v8 ignore next -- failing disk */
      if (codeOf(error) !== 'EEXIST') rmSync(path, { force: true });
      throw error;
    }
  } catch {
    say(`rows that belong to ${failure.path}:\n${failure.text}end of these rows`);
    place = 'standard error';
  }
  return new RunnerError('E_OUTPUT', `${failure.message}; they are in ${place}`, { cause: failure.cause });
}

/** The error of a write or close; rows that were not written are rescued first. */
export function rescued(error: unknown, runId: string, say: (text: string) => void): RunnerError {
  return error instanceof UnwrittenRowsError
    ? rescueRows(error, runId, say)
    : toRunnerError(error, 'E_OUTPUT');
}
