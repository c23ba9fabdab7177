/** The one error that a spec leads to: it carries every issue that was found. */
import { RunnerError, type ErrorCode } from '../errors.js';
import { formatIssues, type SpecIssue } from './issue.js';

export type SpecErrorCode = Extract<ErrorCode, `E_SPEC_${string}`>;

export class SpecError extends RunnerError {
  readonly issues: readonly SpecIssue[];
  /** The spec's path as the user wrote it. */
  readonly source: string;

  constructor(
    code: SpecErrorCode,
    source: string,
    issues: readonly SpecIssue[],
    options?: { cause?: unknown },
  ) {
    super(code, formatIssues(issues, source), options);
    this.name = 'SpecError';
    this.issues = issues;
    this.source = source;
  }
}
