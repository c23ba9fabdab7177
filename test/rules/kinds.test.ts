import t from 'tap';
import { JOB_KINDS } from '../../jobs/index.js';
import { lineOf, sentences, sourcesBelow, type Source, type Violation } from './sources.js';

/** Modules that know job kinds only by the interface; a name of one there would need a second place to add a kind. */
function namedKinds(sources: readonly Source[], kinds: readonly string[]): Violation[] {
  const pattern = new RegExp(`(['"\`])(${kinds.join('|')})\\1`, 'g');
  return sources.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map((match) => ({
      where: `${path}:${lineOf(text, match.index)}`,
      what: `names the kind ${match[2]}`,
      remedy: 'Ask the kind through JobKind (runner/job/kind.ts)',
    })),
  );
}

t.test('nothing in runner/ knows a job kind by its name', async (t) => {
  const kinds = JOB_KINDS.map(({ kind }) => kind);
  t.ok(kinds.length >= 2);
  t.same(sentences(namedKinds(sourcesBelow(['runner'], /\.ts$/), kinds)), []);
});

t.test('a planted name is found', async (t) => {
  const found = namedKinds(
    [{ path: 'runner/x.ts', text: `if (kind === 'offload') {}` }],
    ['offload', 'onboard'],
  );
  t.equal(found.length, 1);
});
