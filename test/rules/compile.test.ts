/** What must compile (the scripts in JavaScript), and what must not: a misspelt column, an argument without its option. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { projectRoot } from '../../runner/project.js';

const { readFile } = ts.sys;
const config = ts.readConfigFile(join(projectRoot, 'tsconfig.json'), readFile);
const {
  incremental: _incremental,
  tsBuildInfoFile: _info,
  ...options
} = ts.parseJsonConfigFileContent(config.config, ts.sys, projectRoot).options;

/** Files as they are, parsed once. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** Complaints of the compiler about these files; `texts` replaces what is in some of them. */
function complaintsAbout(
  paths: readonly string[],
  texts: Readonly<Record<string, string>> = {},
  more: ts.CompilerOptions = {},
): string[] {
  const changed = new Map(Object.entries(texts).map(([path, text]) => [join(projectRoot, path), text]));
  const host = ts.createCompilerHost({ ...options, ...more });
  const { getSourceFile } = host;
  host.getSourceFile = (name, ...args) => {
    const text = changed.get(name);
    if (text !== undefined) return ts.createSourceFile(name, text, args[0], true);
    if (!parsed.has(name)) parsed.set(name, getSourceFile.call(host, name, ...args));
    return parsed.get(name);
  };
  const files = paths.map((path) => join(projectRoot, path));
  const program = ts.createProgram(files, { ...options, ...more, noEmit: true }, host);
  return files.flatMap((file) =>
    program
      .getSemanticDiagnostics(program.getSourceFile(file))
      // What is planted may leave an import unused.
      .filter(({ code }) => code !== 6133 && code !== 6196)
      .map(({ messageText }) => `${file}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`),
  );
}

const read = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');

t.test('a whole kind is one file, and a misspelt column in it does not compile', async (t) => {
  const path = 'test/mpi/toy-kind.ts';
  const dynamic = /const extra: .*\n.*return .*\n/;
  const toy = read(path);
  t.match(toy, dynamic);
  t.notMatch(toy, /from '\.\/.*(schema|columns|rules)/, 'it needs no other file');
  const written = (name: string): string =>
    toy.replace(dynamic, `return [{ ...row, extra: { ${name}: 3 } }];\n`);
  t.same(complaintsAbout([path], { [path]: written('hops') }), []);
  t.match(complaintsAbout([path], { [path]: written('hopz') }).join('\n'), /hopz/);
});

t.test('an argument without its option, or with one of another type, does not compile', async (t) => {
  const path = 'runner/cli/run-options.ts';
  const text = read(path);
  t.same(complaintsAbout([path]), []);
  const without = text.replace(/ {2}points: \{[^}]*\},\n/, '');
  t.match(complaintsAbout([path], { [path]: without }).join('\n'), /Property 'points' is missing/);
  const other = text.replace("shard: {\n    type: 'string'", "shard: {\n    type: 'number'");
  t.match(
    complaintsAbout([path], { [path]: other }).join('\n'),
    /"number"' is not assignable to type '"string"/,
  );
});

t.test('scripts in JavaScript keep to the types in their comments', async (t) => {
  const paths = readdirSync(join(projectRoot, 'scripts'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.mjs'))
    .map((path) => `scripts/${path}`);
  t.ok(paths.length > 5);
  const checked = { allowJs: true, checkJs: true, maxNodeModuleJsDepth: 0 };
  t.same(complaintsAbout(paths, {}, checked), []);
  const planted = `${read('scripts/setup/say.mjs')}\nsay(1, 2, 3);\n`;
  t.equal(
    complaintsAbout(['scripts/setup/say.mjs'], { 'scripts/setup/say.mjs': planted }, checked).length,
    1,
  );
});
