/** Code that coverage leaves out says why, with a reason that scripts/coverage/reasons.ts knows. */
import t from 'tap';
import { REASONS } from '../../scripts/coverage/reasons.js';
import { lineOf, sentences, sourcesBelow, type Source, type Violation } from './sources.js';

const LEFT_OUT = /\b(v8|c8|istanbul) ignore (?!stop)[^\n]*|\bnode:coverage [^\n]*/g;
const WITH_KEY = /^v8 ignore (?:start|next(?: \d+)?) -- (.+?)\s*(?:\*\/.*)?$/;

function keyOf(comment: string): string {
  return WITH_KEY.exec(comment)?.[1] ?? '';
}

function reasonViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap(({ path, text }) =>
    [...text.matchAll(LEFT_OUT)]
      .filter(([comment]) => !Object.hasOwn(REASONS, keyOf(comment)))
      .map(({ 0: comment, index }) => ({
        where: `${path}:${lineOf(text, index)}`,
        what: `'${comment}' gives no reason that is known`,
        remedy: 'Write `v8 ignore next -- KEY` with a key of scripts/coverage/reasons.ts, or a test',
      })),
  );
}

const SOURCES = sourcesBelow(['runner', 'jobs'], /\.ts$/);

t.test('what coverage leaves out has a known reason', async (t) => {
  t.same(sentences(reasonViolations(SOURCES)), []);
});

t.test('every reason is used', async (t) => {
  const ofText = new Set(['index', 'mistake', 'rethrown']);
  const named = new Set(
    SOURCES.flatMap(({ text }) => [...text.matchAll(LEFT_OUT)].map(([comment]) => keyOf(comment))),
  );
  t.same(
    Object.keys(REASONS).filter((key) => !ofText.has(key) && !named.has(key)),
    [],
  );
});

t.test('planted comments without a reason are found', async (t) => {
  const planted: [string, number][] = [
    ['// v8 ignore next -- failing disk', 0],
    ['a /* v8 ignore next -- failing disk */ ?? b;', 0],
    ['/* v8 ignore start -- lost ranks */ a(); /* v8 ignore stop */', 0],
    ['// v8 ignore next 3 -- lost ranks', 0],
    ['// v8 ignore next', 1],
    ['// v8 ignore next -- it is hard', 1],
    ['/* c8 ignore start */', 1],
    ['/* node:coverage disable */', 1],
  ];
  for (const [text, expected] of planted) {
    t.equal(reasonViolations([{ path: 'runner/x.ts', text }]).length, expected, text);
  }
});
