/** The result of a command that only prints; written at one place, so that the commands are functions to test. */
import { printError, printOut } from '../print.js';

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitStatus: number;
}

/** Writes the texts and sets the exit status. */
export function finish(result: CommandResult): void {
  if (result.stdout !== '') printOut(result.stdout);
  if (result.stderr !== '') printError(result.stderr);
  process.exitCode = result.exitStatus;
}
