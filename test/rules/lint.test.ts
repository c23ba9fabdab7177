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

t.test('prettier: npm run format fixes it', async (t) => {
  t.same(complaints(await run(bin('prettier'), ['--check', '.'], { timeoutMs: 400_000 })), []);
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
