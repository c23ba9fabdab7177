/** A command that is misspelt: yargs would name only the nearest word, or call the command an argument. */
import { suggestion } from '../job-spec/suggest.js';
import { usageError } from './usage-error.js';

/** Throws E_USAGE naming the word and what was meant; `commands` in the order of the help. */
export function refuseUnknownCommand(args: readonly string[], commands: readonly string[]): void {
  const [word] = args;
  if (word === undefined || word.startsWith('-') || word === 'help' || commands.includes(word)) return;
  throw usageError(`unknown command ${JSON.stringify(word)}: ${suggestion(word, commands)}`);
}
