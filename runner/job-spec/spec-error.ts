/** The one error that a spec leads to: it carries every fault that was found. */
import { RunnerError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { formatFaults } from './issue.js';
import type { Fault } from './issue.js';

export type SpecErrorCode = Extract<ErrorCode, `E_SPEC_${string}`>;

export class SpecError extends RunnerError {
  readonly faults: readonly Fault[];
  /** The spec's path as the user wrote it. */
  readonly source: string;

  constructor(code: SpecErrorCode, source: string, faults: readonly Fault[], options?: { cause?: unknown }) {
    super(code, formatFaults(faults, source), options);
    this.name = 'SpecError';
    this.faults = faults;
    this.source = source;
  }
}
