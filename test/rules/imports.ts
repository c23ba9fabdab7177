/** Who may import whom in TypeScript: the folders spell the way of the data, and imports keep to it. */
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { lineOf, type Source, type Violation } from './sources.js';

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

/** What every room may use. */
const BASE = ['runner/errors', 'runner/project', 'runner/log'];

/** Values (not types) that a room may import besides itself and BASE. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'runner/errors': [],
  'runner/project': [],
  'runner/log': [],
  'runner/print': [],
  'runner/native': [],
  'runner/spec': [],
  'runner/measure': ['runner/native'],
  'runner/results': ['runner/measure', 'runner/spec'],
  'runner/bootstrap': ['runner/native', 'runner/spec'],
  'runner/doctor': [
    'runner/bootstrap',
    'runner/native',
    'runner/spec',
    // What fits is asked by doctor as by a run.
    'runner/engine/memory',
  ],
  'runner/engine': [
    'runner/print',
    'runner/bootstrap',
    'runner/native',
    'runner/spec',
    'runner/measure',
    'runner/results',
  ],
  'runner/cli': ['runner/', 'jobs/index'],
  'runner/main': ['runner/'],
  'jobs/index': ['jobs/'],
  'jobs/job': [],
  // a kind's folder
  'jobs/*': ['jobs/job', 'runner/spec', 'runner/native', 'runner/measure', 'runner/engine/resources'],
  scripts: ['runner/', 'jobs/'],
  test: ['runner/', 'jobs/', 'scripts/'],
};

/** Types that a room may never name: they would tie it to what stands above it. */
const NEVER_EVEN_TYPES: Readonly<Record<string, readonly string[]>> = {
  'runner/native': ['jobs/', 'runner/engine', 'runner/cli', 'runner/results', 'runner/bootstrap'],
  'runner/measure': ['jobs/', 'runner/engine', 'runner/cli', 'runner/results'],
};

/** runner/spec/load.ts -> runner/spec; jobs/kv/offload.ts -> jobs/kv; runner/errors.ts -> runner/errors. */
function roomOf(path: string): string {
  const parts = path.replace(/\.(ts|mjs|js)$/, '').split('/');
  const [top = ''] = parts;
  if (top === 'test' || top === 'scripts') return top;
  return parts.slice(0, 2).join('/');
}

function ruleFor(room: string): string {
  if (room in MAY_IMPORT) return room;
  return room.startsWith('jobs/') ? 'jobs/*' : room;
}

function isTypeOnly(node: ts.ImportDeclaration): boolean {
  const clause = node.importClause;
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  if (clause.name || !clause.namedBindings || !ts.isNamedImports(clause.namedBindings)) return false;
  return clause.namedBindings.elements.every((element) => element.isTypeOnly);
}

/** Relative imports of a file, resolved against the root: static, re-exported and dynamic ones. */
export function importsOf(source: Source): Import[] {
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (specifier: ts.Expression | undefined, typeOnly: boolean): void => {
    if (!specifier || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return;
    const target = normalize(join(dirname(source.path), specifier.text)).replace(/^dist\//, '');
    found.push({ target, typeOnly, line: lineOf(source.text, specifier.getStart()) });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node));
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function matches(target: string, allowed: string): boolean {
  const bare = target.replace(/\.(ts|mjs|js|json)$/, '');
  return allowed.endsWith('/')
    ? bare.startsWith(allowed)
    : bare === allowed || bare.startsWith(`${allowed}/`);
}

function faultOf(from: string, { target, typeOnly }: Import): string | null {
  const targetRoom = roomOf(target);
  if (targetRoom === from) return null;
  if (targetRoom === 'test') return 'nobody imports a test';
  if (targetRoom === 'scripts' && from !== 'test') return 'nobody imports a script';
  const rule = ruleFor(from);
  if (rule === 'jobs/*' && ruleFor(targetRoom) === 'jobs/*') return 'a job kind knows no other';
  if (typeOnly) {
    const never = NEVER_EVEN_TYPES[rule] ?? [];
    return never.some((name) => matches(target, name)) ? `${from} stands below ${targetRoom}` : null;
  }
  const allowed = MAY_IMPORT[rule];
  if (!allowed) return `${from} is in no line of the import table`;
  if ([...BASE, ...allowed].some((name) => matches(target, name))) return null;
  return `${from} may not import values of ${targetRoom}`;
}

export function importViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) =>
    importsOf(source).flatMap((entry) => {
      const fault = faultOf(roomOf(source.path), entry);
      if (fault === null) return [];
      const remedy =
        'Import only its types, hand the value in as an argument, or move the code to the room that may know both (table: test/rules/imports.ts)';
      return [{ where: `${source.path}:${entry.line}`, what: `${fault} (${entry.target})`, remedy }];
    }),
  );
}
