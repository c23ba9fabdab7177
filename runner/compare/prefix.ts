/** What `--a` and `--b` say: variables, a build, options of `run`; each may be left out. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RunnerError } from '../errors.js';

export interface Prefix {
  readonly variables: Readonly<Record<string, string>>;
  /** The program railrunner of that build. */
  readonly program: string;
  readonly options: readonly string[];
}

/**
 * `UCX_TLS=tcp /opt/railrunner-next --set jobs.*.strategy=kernel`: NAME=value words, then a program or the folder of a
 * clone or bundle, then options of `run`. Throws E_USAGE.
 */
export function parsePrefix(option: string, text: string, ownProgram: string): Prefix {
  const words = splitWords(option, text);
  const variables: Record<string, string> = {};
  for (const word of words.splice(0, numAssignments(words))) {
    variables[word.slice(0, word.indexOf('='))] = word.slice(word.indexOf('=') + 1);
  }
  const named = words[0] === undefined || words[0].startsWith('-') ? undefined : words.shift();
  return { variables, program: named === undefined ? ownProgram : programOf(option, named), options: words };
}

function numAssignments(words: readonly string[]): number {
  const first = words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word));
  return first < 0 ? words.length : first;
}

function programOf(option: string, path: string): string {
  const inFolder = join(path, 'bin', 'railrunner');
  const program = existsSync(path) && statSync(path).isDirectory() ? inFolder : path;
  if (existsSync(program)) return program;
  throw new RunnerError(
    'E_USAGE',
    `${option}: expected NAME=value words, then the folder of a railrunner build, then options of run; ` +
      `${program} is not there`,
  );
}

/** Words as a shell splits them: blanks, and quotes of either kind around blanks; nothing is expanded. */
export function splitWords(option: string, text: string): string[] {
  const words: string[] = [];
  const rest = text.replaceAll(/((?:[^\s"']|"[^"]*"|'[^']*')+)\s*/g, (word: string) => {
    words.push(word.trim().replaceAll(/"[^"]*"|'[^']*'/g, (quoted) => quoted.slice(1, -1)));
    return '';
  });
  if (rest.trim() !== '') {
    throw new RunnerError(
      'E_USAGE',
      `${option}: expected every quote to be closed in ${JSON.stringify(text)}`,
    );
  }
  return words;
}
