/** An error says what was expected or what to do about it, where it arises. */
import t from 'tap';
import ts from 'typescript';
import { parsed } from './parsed.js';
import { lineOf, sentences, typescriptSources, type Source, type Violation } from './sources.js';

/** Codes whose reader can do nothing there: they follow from another failure, or are defects of railrunner itself. */
const NOTHING_TO_DO = new Set(['E_ABORTED', 'E_INTERRUPTED', 'E_INTERNAL', 'E_JOB', 'E_STATE']);

/** Verbs of the instructions that there are; add the verb of a new one. */
const INSTRUCTIONS =
  /\b(expected|build|change|check|choose|compare|correct|declare|end|give|go on|install|leave|look|measure again|name|pass|raise|read|remove|rename|repeat|report|resume|return|run|set|start|submit|take|unset|use|wait)\b/i;

/** Too short to be a sentence: the words come from elsewhere, `${what}: ${error}`, and are judged there. */
const FEWEST_LETTERS = 12;

/** What a message says by itself: its literal parts, without what is filled in. */
function literalText(node: ts.Node): string {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join(' ');
  if (ts.isBinaryExpression(node)) return `${literalText(node.left)} ${literalText(node.right)}`;
  return '';
}

function isSilent(call: ts.NewExpression): boolean {
  const [code, message] = call.arguments ?? [];
  if (code === undefined || message === undefined) return false;
  if (ts.isStringLiteralLike(code) && NOTHING_TO_DO.has(code.text)) return false;
  // A value that is filled in may be the instruction: `${why}: ${remedy}`.
  if (/\$\{(\w*remedy|hint|REMEDIES\b[^}]*)\}/i.test(message.getText())) return false;
  const text = literalText(message);
  return text.replaceAll(/[^a-z]/gi, '').length >= FEWEST_LETTERS && !INSTRUCTIONS.test(text);
}

function violations(sources: readonly Source[]): Violation[] {
  return sources
    .filter(({ path, text }) => /^(runner|jobs)\//.test(path) && text.includes('new RunnerError'))
    .flatMap((source) => {
      const found: Violation[] = [];
      const visit = (node: ts.Node): void => {
        if (ts.isNewExpression(node) && node.expression.getText() === 'RunnerError' && isSilent(node)) {
          found.push({
            where: `${source.path}:${lineOf(source.text, node.getStart())}`,
            what: 'the message says neither what was expected nor what to do',
            remedy: 'Say it in the message, or add the verb to INSTRUCTIONS of test/rules/messages.test.ts',
          });
        }
        ts.forEachChild(node, visit);
      };
      visit(parsed(source));
      return found;
    });
}

t.test('the message of every error says what was expected or what to do', async (t) => {
  t.same(sentences(violations(typescriptSources())), []);
  const planted = (message: string): Source => ({
    path: 'runner/new.ts',
    text: `throw new RunnerError('E_OUTPUT', ${message});`,
  });
  t.equal(violations([planted('`${path} could not be written: ${error}`')]).length, 1);
  t.equal(violations([planted("'the folder is full: ' + 'nothing was written'")]).length, 1);
  t.equal(violations([planted("'the folder is full: choose another one'")]).length, 0);
});
