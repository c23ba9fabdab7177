/** A command without what it works on: yargs would count "non-option arguments" and name neither. */
import { usageError } from './usage-error.js';

/** Throws E_USAGE with the form of the command, such as "run <spec>", if yargs says that an argument is missing. */
export function refuseMissingArgument(
  message: string,
  args: readonly string[],
  commands: readonly { readonly name: string; readonly form: string }[],
): void {
  if (!message.startsWith('Not enough non-option arguments')) return;
  for (const word of args) {
    const form = commands.find(({ name }) => name === word)?.form;
    if (form !== undefined) {
      throw usageError(`${form.slice(form.indexOf(' ') + 1)} is missing: expected \`railrunner ${form}\``);
    }
  }
}
