/** Who may import whom in TypeScript: the folder layout follows the data path, and imports keep to it. */
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { parsed } from './parsed.js';
import { lineOf, type Source, type Violation } from './sources.js';

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

/** What every module may use. */
const BASE = [
  'runner/within',
  'runner/errors',
  'runner/system-failure',
  'runner/project',
  'runner/log',
  'runner/text',
  'runner/values',
];

/** Values (not types) that a module may import besides itself and BASE. The folders follow the data path. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'runner/within': [],
  'runner/errors': [],
  'runner/system-failure': [],
  'runner/project': [],
  'runner/log': [],
  'runner/print': [],
  'runner/error-line': ['runner/print'],
  'runner/text': [],
  'runner/values': [],
  'runner/native': [],
  // The parser of the variables that fix keys of jobs.
  'runner/job-spec': ['runner/environment', 'runner/statistics'],
  'runner/environment': [],
  'runner/launch': ['runner/environment'],
  'runner/statistics': [],
  // Whether a point's noise is low.
  'runner/job': ['runner/statistics'],
  'runner/world': ['runner/environment', 'runner/native', 'runner/job-spec'],
  'runner/preflight': ['runner/job-spec'],
  'runner/run-folder': ['runner/job-spec'],
  'runner/results': ['runner/statistics', 'runner/job-spec', 'runner/job', 'runner/run-folder'],
  'runner/console': ['runner/results'],
  'runner/compare': [
    'runner/environment',
    // The prefix by which a log's errors are found.
    'runner/error-line',
    'runner/job-spec',
    'runner/run-folder',
    'runner/results',
    'runner/statistics',
  ],
  'runner/report': [
    'runner/compare',
    'runner/job-spec',
    'runner/run-folder',
    'runner/results',
    'runner/statistics',
  ],
  'runner/doctor': [
    'runner/environment',
    'runner/launch',
    'runner/native',
    'runner/job-spec',
    'runner/preflight',
    'runner/world',
  ],
  'runner/engine': [
    'runner/run-folder',
    'runner/text',
    'runner/print',
    'runner/error-line',
    'runner/environment',
    'runner/world',
    'runner/native',
    'runner/job-spec',
    'runner/job',
    'runner/preflight',
    'runner/statistics',
    'runner/results',
    'runner/console',
  ],
  'runner/cli': ['runner/'],
  'runner/main': ['runner/'],
  'jobs/index': ['jobs/'],
  // Readers of model files, for every kind and for railrunner model.
  'jobs/kv/models': ['runner/job-spec'],
  // Readers of request traces, and caches that are driven by them, for every kind and for railrunner simulate.
  'jobs/traces': ['runner/job-spec'],
  'jobs/cache': ['jobs/traces', 'runner/job-spec'],
  // Moves blocks of the layouts and pools of jobs/kv from rank to rank.
  'jobs/transfer': ['jobs/kv', 'runner/job', 'runner/job-spec', 'runner/native', 'runner/statistics'],
  // Drives the tiers of jobs/kv by what caches decide.
  'jobs/replay': ['jobs/kv', 'jobs/cache', 'jobs/traces', 'runner/job', 'runner/job-spec', 'runner/native'],
  // a kind's folder
  'jobs/*': [
    'jobs/kv/models',
    'jobs/traces',
    'jobs/cache',
    'runner/job',
    'runner/job-spec',
    'runner/native',
    'runner/statistics',
  ],
  scripts: ['runner/', 'jobs/'],
  test: ['runner/', 'jobs/', 'scripts/'],
};

/** Types that a module may never name: they would tie it to what stands above it. */
const NEVER_EVEN_TYPES: Readonly<Record<string, readonly string[]>> = {
  'runner/native': ['runner/engine', 'runner/cli', 'runner/results', 'runner/world', 'runner/job'],
  'runner/statistics': ['runner/engine', 'runner/cli', 'runner/results', 'runner/job'],
  'runner/job-spec': ['runner/engine', 'runner/cli', 'runner/results', 'runner/job', 'runner/world'],
};

/** runner/job-spec/load.ts -> runner/job-spec; jobs/kv/offload.ts -> jobs/kv; runner/errors.ts -> runner/errors. */
function moduleOf(path: string): string {
  const parts = path.replace(/\.(ts|mjs|js)$/, '').split('/');
  const [top = ''] = parts;
  if (top === 'test' || top === 'scripts') return top;
  return parts.slice(0, parts.slice(0, 3).join('/') === 'jobs/kv/models' ? 3 : 2).join('/');
}

function ruleFor(module: string): string {
  if (module in MAY_IMPORT) return module;
  return module.startsWith('jobs/') ? 'jobs/*' : module;
}

function isTypeOnly(node: ts.ImportDeclaration): boolean {
  const clause = node.importClause;
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  if (clause.name || !clause.namedBindings || !ts.isNamedImports(clause.namedBindings)) return false;
  return clause.namedBindings.elements.every((element) => element.isTypeOnly);
}

/** What a relative import names, from the root; of compiled code its source. */
export function targetOf(path: string, specifier: string): string {
  return normalize(join(dirname(path), specifier)).replace(/^dist\//, '');
}

/** Relative imports of a file, resolved against the root: static, re-exported and dynamic ones. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Expression | undefined, typeOnly: boolean): void => {
    if (!specifier || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return;
    found.push({
      target: targetOf(source.path, specifier.text),
      typeOnly,
      line: lineOf(source.text, specifier.getStart()),
    });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node));
    if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(parsed(source));
  return found;
}

function matches(target: string, allowed: string): boolean {
  const bare = target.replace(/\.(ts|mjs|js|json)$/, '');
  return allowed.endsWith('/')
    ? bare.startsWith(allowed)
    : bare === allowed || bare.startsWith(`${allowed}/`);
}

function faultOf(from: string, { target, typeOnly }: Import): string | null {
  const targetModule = moduleOf(target);
  if (targetModule === from) return null;
  if (targetModule === 'test') return 'nobody imports a test';
  if (targetModule === 'scripts' && from !== 'test') return 'nobody imports a script';
  const rule = ruleFor(from);
  if (rule.startsWith('runner/') && targetModule.startsWith('jobs/')) {
    return 'runner knows job kinds only by runner/job, not even by a type';
  }
  if (rule === 'jobs/*' && ruleFor(targetModule) === 'jobs/*') return 'a job kind knows no other';
  if (typeOnly) {
    const never = NEVER_EVEN_TYPES[rule] ?? [];
    return never.some((name) => matches(target, name)) ? `${from} stands below ${targetModule}` : null;
  }
  const allowed = MAY_IMPORT[rule];
  if (!allowed) return `${from} is in no line of the import table`;
  if ([...BASE, ...allowed].some((name) => matches(target, name))) return null;
  return `${from} may not import values of ${targetModule}`;
}

export function importViolations(sources: readonly Source[]): Violation[] {
  return sources.flatMap((source) =>
    importsOf(source).flatMap((entry) => {
      const fault = faultOf(moduleOf(source.path), entry);
      if (fault === null) return [];
      const remedy =
        'Import only its types, hand the value in as an argument, or move the code to the module that may know both (table: test/rules/imports.ts)';
      return [{ where: `${source.path}:${entry.line}`, what: `${fault} (${entry.target})`, remedy }];
    }),
  );
}
