/** Files and functions stay short enough to be read at once. */
import ts from 'typescript';
import { lineOf, type Source, type Violation } from './sources.js';

const TS_FILE_LINES = 250;
const CPP_FILE_LINES = 400;
const FUNCTION_LINES = 70;

interface Span {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

function isFunction(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isConstructorDeclaration(node) ||
    ts.isAccessor(node)
  );
}

function typescriptFunctions({ path, text }: Source): Span[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const spans: Span[] = [];
  const visit = (node: ts.Node): void => {
    if (isFunction(node) && node.body) {
      const line = lineOf(text, node.getStart());
      const name = node.name?.getText() ?? 'a function';
      spans.push({ name, line, lines: lineOf(text, node.getEnd()) - line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return spans;
}

/** Comments, strings and preprocessor lines as blanks of the same length: only braces that count remain. */
function blanked(text: string): string {
  const skipped =
    /\/\/[^\n]*|\/\*[^]*?\*\/|R"(\w*)\([^]*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])'(?:\\.|[^'\\\n])+'|^[ \t]*#(?:[^\n\\]|\\\n|\\.)*/gm;
  return text.replace(skipped, (match) => match.replace(/[^\n]/g, ' '));
}

function blockKind(lead: string): 'scope' | 'function' | 'inner' {
  if (/\b(namespace|extern)\b[^()]*$/.test(lead)) return 'scope';
  if (/\b(class|struct|union|enum)\b[^()=]*$/.test(lead)) return 'scope';
  return /\)[^=]*$/.test(lead) && !/=\s*$/.test(lead) ? 'function' : 'inner';
}

/** Outermost functions (members included) of a C++ or CUDA file, by their braces. */
export function cppFunctions({ text: original }: Source): Span[] {
  const text = blanked(original);
  const spans: Span[] = [];
  const stack: { kind: string; start: number; name: string }[] = [];
  let leadStart = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === '{') {
      const lead = text.slice(leadStart, index);
      const outside = stack.every(({ kind }) => kind === 'scope');
      const kind = outside ? blockKind(lead) : 'inner';
      const name = /([\w:~]+)\s*\(/.exec(lead)?.[1] ?? 'a function';
      stack.push({ kind, start: leadStart + lead.length - lead.trimStart().length, name });
    } else if (character === '}') {
      const block = stack.pop();
      if (block?.kind === 'function') {
        const line = lineOf(text, block.start);
        spans.push({ name: block.name, line, lines: lineOf(text, index) - line + 1 });
      }
    }
    if (character === '{' || character === '}' || character === ';') leadStart = index + 1;
  }
  return spans;
}

export function lengthViolations(sources: readonly Source[]): Violation[] {
  const violations: Violation[] = [];
  for (const source of sources) {
    const isTs = /\.(ts|mjs)$/.test(source.path);
    const limit = isTs ? TS_FILE_LINES : CPP_FILE_LINES;
    const lines = source.text.trimEnd().split('\n').length;
    if (lines > limit && !source.path.includes('.generated.')) {
      const remedy = 'Split it by what a reader looks for: one concept a file';
      violations.push({ where: source.path, what: `${lines} lines, at most ${limit}`, remedy });
    }
    for (const span of isTs ? typescriptFunctions(source) : cppFunctions(source)) {
      if (span.lines <= FUNCTION_LINES) continue;
      const what = `${span.name} has ${span.lines} lines, at most ${FUNCTION_LINES}`;
      const remedy = 'Keep the branches in the parent and move each step to a function of its own';
      violations.push({ where: `${source.path}:${span.line}`, what, remedy });
    }
  }
  return violations;
}
