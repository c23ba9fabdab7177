/** What a result file's end can reject with apart from plain E_OUTPUT. */
import { RunnerError } from '../errors.js';

/** Rows that could not be written by the end; `text` is their CSV, without a header. */
export class UnwrittenRowsError extends RunnerError {
  readonly text: string;
  /** Of the file that they belong to. */
  readonly path: string;

  constructor(message: string, path: string, text: string, cause: unknown) {
    super('E_OUTPUT', message, { cause });
    this.name = 'UnwrittenRowsError';
    this.text = text;
    this.path = path;
  }
}

/** A file system did not answer: a thread of this process may wait in it for ever. */
export class HangingFileError extends RunnerError {
  constructor(path: string, limitMs: number) {
    super(
      'E_OUTPUT',
      `${path}: the file system did not answer within ${limitMs / 1000} s. ` +
        `Look at the kernel log and at the server that it is mounted from, or name another folder by --out.`,
    );
    this.name = 'HangingFileError';
  }
}

/** The rows of a file that hangs are saved elsewhere; the error that says so has the reason as its cause. */
export function isHanging(failure: unknown): boolean {
  return (
    failure instanceof HangingFileError ||
    (failure instanceof Error && failure.cause instanceof HangingFileError)
  );
}
