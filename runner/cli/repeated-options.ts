/** An option given twice: yargs makes a list of it, which no command means. A wrapper's default and a user's own meet so. */
import { usageError } from './usage-error.js';

/** Options that collect what they are given, without dashes and in lower case. */
const COLLECTING = new Set(['set', 'only', 'earlier', 'format']);

/** Throws E_USAGE naming the option; spellings (--run-id, --runId, --no-json) count as one. */
export function refuseRepeatedOptions(args: readonly string[]): void {
  const seen = new Set<string>();
  for (const arg of args) {
    if (arg === '--') return;
    const written = /^--?[A-Za-z][\w-]*/.exec(arg)?.[0];
    if (written === undefined) continue;
    const name = written
      .replace(/^--?(no-)?/, '')
      .replaceAll('-', '')
      .toLowerCase();
    if (COLLECTING.has(name)) continue;
    if (seen.has(name)) {
      throw usageError(`${written} was given twice: expected once; remove one of the two`);
    }
    seen.add(name);
  }
}
