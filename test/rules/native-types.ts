/** What runner/native/types declares, as lines of the form that the addon's surface() gives (native/binding/shape.h). */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { projectRoot } from '../../runner/project.js';

export const TYPES = 'runner/native/types';
const index = join(projectRoot, TYPES, 'index.ts');
const settings = ts.parseJsonConfigFileContent(
  ts.readConfigFile(join(projectRoot, 'tsconfig.json'), (path) => readFileSync(path, 'utf8')).config,
  ts.sys,
  projectRoot,
).options;

/** Parsed once: the libraries' declarations, and files that no violation is planted in. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** `planted`: other texts for files of that path. */
function programOf(planted: ReadonlyMap<string, string>): ts.Program {
  const host = ts.createCompilerHost(settings);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (path, options) => {
    const text = planted.get(relative(projectRoot, path));
    if (text !== undefined) return ts.createSourceFile(path, text, options, true);
    if (!parsed.has(path)) parsed.set(path, read(path, options));
    return parsed.get(path);
  };
  return ts.createProgram({ rootNames: [index], options: { ...settings, types: ['node'] }, host });
}

/** Objects that JavaScript or Node has: never taken apart. */
const BUILT_IN = /^(Buffer|((Big)?(Uint|Int)|Float)\d+Array)$/;

class Surface {
  readonly lines: string[] = [];
  private readonly handles = new Map<ts.Type, string>();
  private readonly reached: ts.Type[] = [];

  private readonly checker: ts.TypeChecker;

  constructor(checker: ts.TypeChecker, file: ts.SourceFile) {
    this.checker = checker;
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(file)!)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      const type = checker.getDeclaredTypeOfSymbol(symbol);
      if (!type.aliasTypeArguments && this.methodsOf(type).length > 0) this.handles.set(type, exported.name);
      if (exported.name === 'NativeAddon') this.reached.push(type);
    }
    for (const type of this.reached) {
      for (const method of this.methodsOf(type)) this.addMethod(this.handles.get(type)!, method);
    }
  }

  private typeOf(symbol: ts.Symbol): ts.Type {
    return this.checker.getTypeOfSymbol(symbol);
  }

  private methodsOf(type: ts.Type): ts.Symbol[] {
    if (!(type.flags & ts.TypeFlags.Object) || this.isBuiltIn(type)) return [];
    const properties = this.checker.getPropertiesOfType(type);
    return this.checker.isArrayType(type)
      ? []
      : properties.filter((property) => this.typeOf(property).getCallSignatures().length > 0);
  }

  private isBuiltIn(type: ts.Type): boolean {
    return BUILT_IN.test(type.symbol?.name ?? '');
  }

  private addMethod(owner: string, method: ts.Symbol): void {
    const [signature] = this.typeOf(method).getCallSignatures();
    const path = `${owner}.${method.name}`;
    const order = signature!.parameters.map(({ name }) => name).join(', ');
    this.lines.push(`${path}(${order})`);
    for (const parameter of signature!.parameters) this.addKey(parameter, `${path}(`, ')', true);
    const returned = signature!.getReturnType();
    const isPromise = returned.symbol?.name === 'Promise';
    const type = isPromise ? this.checker.getTypeArguments(returned as ts.TypeReference)[0]! : returned;
    const text = this.textOf(type, false);
    this.lines.push(`${path}(): ${isPromise ? `Promise<${text}>` : text}`);
    this.addInside(type, `${path}()`, '', false);
  }

  private addKey(key: ts.Symbol, prefix: string, suffix: string, isArgument: boolean): void {
    const declaration = key.valueDeclaration;
    const isOptional =
      (key.flags & ts.SymbolFlags.Optional) !== 0 ||
      (declaration !== undefined &&
        ts.isParameter(declaration) &&
        this.checker.isOptionalParameter(declaration));
    const path = `${prefix}${prefix.endsWith('(') ? '' : '.'}${key.name}${isOptional ? '?' : ''}`;
    const type = this.typeOf(key);
    this.lines.push(`${path}${suffix}: ${this.textOf(type, isArgument)}`);
    this.addInside(type, path, suffix, isArgument);
  }

  /** What is inside an object or array. Of a handle that a method makes: its data; of one that it is given: nothing. */
  private addInside(whole: ts.Type, path: string, suffix: string, isArgument: boolean): void {
    const type = this.checker.getNonNullableType(whole);
    if (!(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) || this.isBuiltIn(type)) return;
    if (this.checker.isArrayType(type)) {
      const [element] = this.checker.getTypeArguments(type as ts.TypeReference);
      this.lines.push(`${path}[]${suffix}: ${this.textOf(element!, isArgument)}`);
      return this.addInside(element!, `${path}[]`, suffix, isArgument);
    }
    const isHandle = this.handles.has(type);
    if (isHandle && isArgument) return;
    if (isHandle && !this.reached.includes(type)) this.reached.push(type);
    for (const property of this.checker.getPropertiesOfType(type)) {
      const isMethod = this.typeOf(property).getCallSignatures().length > 0;
      if (!isHandle || !isMethod) this.addKey(property, path, suffix, isArgument);
    }
  }

  private textOf(type: ts.Type, isArgument: boolean): string {
    const parts = type.isUnion() ? type.types : [type];
    const texts = new Set(parts.map((part) => this.partText(part, isArgument)));
    texts.delete('undefined');
    return sortedUnion([...texts]);
  }

  /** A result may be declared narrower than native code says it: one of some strings. */
  private partText(type: ts.Type, isArgument: boolean): string {
    const { flags } = type;
    if (flags & ts.TypeFlags.BooleanLike) return 'boolean';
    if (flags & (ts.TypeFlags.Void | ts.TypeFlags.Never)) return 'void';
    if (type.isStringLiteral()) return isArgument ? `'${type.value}'` : 'string';
    if (!(flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection))) return this.checker.typeToString(type);
    if (this.isBuiltIn(type)) return type.symbol.name;
    if (this.checker.isArrayType(type)) return 'array';
    return this.handles.get(type) ?? (type.getCallSignatures().length > 0 ? 'function' : 'object');
  }
}

function sortedUnion(parts: readonly string[]): string {
  return parts.toSorted().join(' | ');
}

/** A line of surface() with the parts of a union in the order used here. */
export function normalised(line: string): string {
  const [, head, open, union, close] = /^(.*?)(?:: (Promise<)?(.*?)(>)?)?$/.exec(line) ?? [];
  if (union === undefined) return line;
  return `${head}: ${open ?? ''}${sortedUnion(union.split(' | '))}${close ?? ''}`;
}

export function declaredLines(planted: ReadonlyMap<string, string> = new Map()): string[] {
  const program = programOf(planted);
  return new Surface(program.getTypeChecker(), program.getSourceFile(index)!).lines;
}
