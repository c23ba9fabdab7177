/** The one form in which errors reach a terminal or a log of the launcher. */
import { hostname } from 'node:os';
import type { RunnerError } from './errors.js';
import { printError } from './print.js';

/** Every line that railrunner itself says on standard error begins with it: a launcher mixes in its own. */
export const PROGRAM = 'railrunner: ';

/** "railrunner: E_SPEC_READ: spec.json: ..."; docs/errors.md lists the codes. */
export function errorLine({ code, message }: Pick<RunnerError, 'code' | 'message'>): string {
  return `${PROGRAM}${code}: ${message}`;
}

export function reportError(error: Pick<RunnerError, 'code' | 'message'>): void {
  printError(errorLine(error));
}

/** Says which rank speaks, where others may not be able to. */
export function reportErrorOfRank(rank: number, { code, message }: RunnerError): void {
  reportError({ code, message: `rank ${rank} on ${hostname()}: ${message}` });
}
