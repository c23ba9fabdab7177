/** Errors have one form, `railrunner: E_CODE: message`, and one place that writes it. */
import t from 'tap';
import { typescriptSources, lineOf, sentences, type Source, type Violation } from './sources.js';

const OWN_PREFIX = /['"`]railrunner: /g;
const HOME = 'runner/error-line.ts';

function violations(sources: readonly Source[]): Violation[] {
  return sources
    .filter(({ path }) => /^(runner|jobs)\//.test(path) && path !== HOME)
    .flatMap(({ path, text }) =>
      [...text.matchAll(OWN_PREFIX)].map((match) => ({
        where: `${path}:${lineOf(text, match.index)}`,
        what: 'an error is printed in a form of its own',
        remedy: `Throw a RunnerError, or print it with reportError of ${HOME}`,
      })),
    );
}

t.test('errors are printed by one function', async (t) => {
  t.same(sentences(violations(typescriptSources())), []);
  const planted = { path: 'runner/cli/new.ts', text: 'printError(`railrunner: ${message}`);' };
  t.equal(violations([planted]).length, 1, 'a form of its own is found');
});
