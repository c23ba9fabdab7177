/** A command without what it works on: yargs would count "non-option arguments" and name neither. */
import { usageError } from './usage-error.js';

/** Throws E_USAGE with the form of the command, such as "run <spec>", if yargs says that an argument is missing. */
export function refuseMissingArgument(
  message: string | null,
  args: readonly string[],
  commands: readonly { readonly name: string; readonly form: string }[],
): void {
  if (!message?.startsWith('Not enough non-option arguments')) return;
  const given = args.find((word) => commands.some(({ name }) => name === word));
  const form = commands.find(({ name }) => name === given)?.form;
  if (form === undefined) return;
  throw usageError(`${form.slice(form.indexOf(' ') + 1)} is missing: expected \`railrunner ${form}\``);
}
