import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { needsProgram } from '../helpers/require.js';
import { run, type Finished } from '../helpers/run-cli.js';

const bin = (name: string): string => join(projectRoot, 'node_modules', '.bin', name);

/** What the tool said, by lines; nothing where it is content. */
function complaints({ status, stdout, stderr }: Finished): string[] {
  return status === 0 ? [] : [`status ${status}`, ...`${stdout}${stderr}`.trim().split('\n').slice(0, 60)];
}

t.test('oxlint', async (t) => {
  t.same(complaints(await run(bin('oxlint'), [], { timeoutMs: 400_000 })), []);
});

/** Assertions that the compiler cannot check, by folder; each has its reason with it. Lower them with the code. */
const MOST_UNSAFE_ASSERTIONS = { runner: 11, jobs: 0 };

t.test('oxlint with types: no promise floats, and unsafe assertions get fewer', async (t) => {
  const rules = ['no-floating-promises', 'no-misused-promises', 'no-unsafe-type-assertion'];
  const args = ['--type-aware', '-A', 'all', ...rules.flatMap((rule) => ['-D', `typescript/${rule}`])];
  const folders = Object.keys(MOST_UNSAFE_ASSERTIONS);
  const { stdout } = await run(bin('oxlint'), [...args, '-f', 'json', ...folders, 'scripts'], {
    timeoutMs: 400_000,
  });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; filename: string; message: string; labels: { span: { line: number } }[] }[];
  };
  const isAssertion = ({ code }: { code: string }): boolean => code.includes('no-unsafe-type-assertion');
  t.same(
    diagnostics
      .filter((found) => !isAssertion(found))
      .map(({ filename, message, labels }) => `${filename}:${labels[0]?.span.line}: ${message}`),
    [],
  );
  const assertions = diagnostics.filter(isAssertion);
  t.ok(assertions.length > 0, 'the rule sees those that are left');
  for (const [folder, most] of Object.entries(MOST_UNSAFE_ASSERTIONS)) {
    const count = assertions.filter(({ filename }) => filename.startsWith(`${folder}/`)).length;
    t.ok(
      count <= most,
      `${folder}: ${count} unsafe type assertions, at most ${most}: check the value instead`,
    );
  }
});

/** Files of the project: a user's own specs and reports may lie among them. All where there is no Git checkout. */
async function projectFiles(): Promise<string[]> {
  const { status, stdout } = await run('git', ['ls-files', '-z', '--cached'], {});
  return status === 0 ? stdout.split('\0').filter((path) => path !== '' && existsSync(path)) : ['.'];
}

t.test('prettier: npm run format fixes it', async (t) => {
  const args = ['--check', '--ignore-unknown', ...(await projectFiles())];
  t.same(complaints(await run(bin('prettier'), args, { timeoutMs: 400_000 })), []);
});

t.test(
  'clang-format: npm run format fixes it',
  { skip: needsProgram('clang-format', 'clang-format') },
  async (t) => {
    const checked = await run(process.execPath, ['scripts/check-cpp-format.mjs'], { timeoutMs: 400_000 });
    t.same(complaints(checked), []);
  },
);

t.test('the linters find what is planted', async (t) => {
  const options = { input: 'const  a = "b"', timeoutMs: 400_000 };
  const formatted = await run(bin('prettier'), ['--stdin-filepath', 'x.ts'], options);
  t.equal(formatted.stdout, "const a = 'b';\n");
});
