/**
 * Exports that no other file imports: each is read as part of what its file offers, and dead code hides behind it. A
 * type may stay exported for the signatures of its own file.
 */
import ts from 'typescript';
import { targetOf } from './imports.js';
import { parsed } from './parsed.js';
import { lineOf, type Source, type Violation } from './sources.js';

interface Export {
  readonly name: string;
  readonly line: number;
  /** An interface or a type that its own file names elsewhere. */
  readonly isOwnType: boolean;
}

/**
 * Made by a program, or described by a package without types: complete, whoever uses what. Setup is JavaScript that
 * tests load by its URL.
 */
const EXEMPT = /\.(generated|d)\.ts$|^scripts\/setup\/.*\.mjs$/;

function isExported(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) &&
    ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
  );
}

function namesOf(statement: ts.Statement): (ts.Identifier | ts.ModuleExportName)[] {
  if (ts.isExportDeclaration(statement)) {
    const clause = statement.exportClause;
    return clause !== undefined && ts.isNamedExports(clause) ? clause.elements.map(({ name }) => name) : [];
  }
  if (!isExported(statement)) return [];
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) =>
      ts.isIdentifier(name) ? [name] : [],
    );
  }
  const isDeclaration =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement);
  return isDeclaration && statement.name !== undefined ? [statement.name] : [];
}

function exportsOf(source: Source): Export[] {
  const file = parsed(source);
  return file.statements.flatMap((statement) =>
    namesOf(statement).map((name) => ({
      name: name.text,
      line: lineOf(source.text, name.getStart()),
      isOwnType:
        (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) &&
        wordsOf(file).filter((word) => word === name.text).length > 1,
    })),
  );
}

function wordsOf(file: ts.SourceFile): string[] {
  const words: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) words.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return words;
}

/** Files whose every export a file passes on: `export * from`. */
function passedOn(source: Source): string[] {
  return parsed(source).statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) return [];
    if (statement.exportClause !== undefined || !ts.isStringLiteral(statement.moduleSpecifier)) return [];
    return [sourceOf(source.path, statement.moduleSpecifier.text)];
  });
}

/** The source that an import names: './a.js' is a.ts. */
const sourceOf = (path: string, specifier: string): string =>
  targetOf(path, specifier).replace(/\.js$/, '.ts');

/** "path name" of each thing that a file takes from others. Of a module that is loaded late, every word of the file. */
function* usesOf(source: Source): Generator<string> {
  const file = parsed(source);
  const late: string[] = [];
  const uses: string[] = [];
  const take = (specifier: ts.Node | undefined, names: readonly string[]): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return;
    const target = sourceOf(source.path, specifier.text);
    uses.push(...names.map((name) => `${target} ${name}`));
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const bindings = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
      const elements =
        bindings !== undefined && (ts.isNamedImports(bindings) || ts.isNamedExports(bindings))
          ? [...bindings.elements]
          : [];
      take(
        node.moduleSpecifier,
        elements.map((element) => (element.propertyName ?? element.name).text),
      );
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (specifier !== undefined && ts.isStringLiteral(specifier)) late.push(specifier.text);
    }
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      take(node.argument.literal, node.qualifier === undefined ? [] : [node.qualifier.getText()]);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  yield* uses;
  for (const specifier of late.filter((text) => text.startsWith('.'))) {
    const target = sourceOf(source.path, specifier);
    for (const word of wordsOf(file)) yield `${target} ${word}`;
  }
}

/** `users`: files that import and export nothing, such as bin/railrunner. */
export function exportViolations(sources: readonly Source[], users: readonly Source[] = []): Violation[] {
  const used = new Set([...sources, ...users].flatMap((source) => [...usesOf(source)]));
  const offered = sources
    .filter(({ path }) => !EXEMPT.test(path))
    .flatMap((source) => exportsOf(source).map((entry) => ({ ...entry, path: source.path })));
  const through = new Map<string, string[]>();
  for (const source of sources) {
    for (const inner of passedOn(source)) through.set(inner, [...(through.get(inner) ?? []), source.path]);
  }
  return offered
    .filter(({ path, name, isOwnType }) => {
      const places = [path, ...(through.get(path) ?? [])];
      return !isOwnType && places.every((place) => !used.has(`${place} ${name}`));
    })
    .map(({ path, name, line }) => ({
      where: `${path}:${line}`,
      what: `${name} is exported, and no other file imports it`,
      remedy: 'Remove the word export, or the declaration itself if its own file does not use it either',
    }));
}
