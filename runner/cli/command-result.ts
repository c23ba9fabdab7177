/** What a command that only prints comes to; written at one place, so that the commands are functions to test. */

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitStatus: number;
}

/** Writes the texts and sets the exit status; the process ends when its streams have drained. */
export function finish(result: CommandResult): void {
  if (result.stdout !== '') process.stdout.write(`${result.stdout}\n`);
  if (result.stderr !== '') process.stderr.write(`${result.stderr}\n`);
  process.exitCode = result.exitStatus;
}
