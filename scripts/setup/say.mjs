/** What setup prints: one line per step, and one block that says what to do when it cannot continue. */

export class SetupFailure extends Error {
  /** @param {string} message what was expected, what was found, what to do */
  constructor(message) {
    super(message);
    this.name = 'SetupFailure';
  }
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

/** The last lines of a program's output, indented, for a failure's message. */
export function tail(/** @type {string} */ text, lines = 20) {
  return text
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .map((line) => `    ${line}`)
    .join('\n');
}
