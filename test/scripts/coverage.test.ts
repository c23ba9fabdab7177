/** Coverage of a real process and its child, summed by folder; a file that nothing loads counts as uncovered. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { byFolder, coverageRows, type Counts } from '../../scripts/coverage/record.js';
import { CoverageRecorder } from '../../scripts/coverage/recorder.js';

/** A script of two functions as tsc leaves it: each of its lines is that line of its source. */
function writeScript(root: string, path: string, body: string): void {
  const script = join(root, 'dist', `${path}.js`);
  mkdirSync(join(script, '..'), { recursive: true });
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, `${path}.ts`), body);
  const numLines = body.split('\n').length;
  const map = {
    version: 3,
    file: 'x.js',
    sources: [relative(dirname(script), join(root, `${path}.ts`))],
    names: [],
    mappings: Array.from({ length: numLines }, (_, line) => (line === 0 ? 'AAAA' : 'AACA')).join(';'),
  };
  writeFileSync(`${script}.map`, JSON.stringify(map));
  writeFileSync(script, `${body}//# sourceMappingURL=${path.split('/').at(-1)}.js.map\n`);
}

const TWO = 'export function used() {\n  return 1;\n}\nexport function unused() {\n  return 2;\n}\n';

t.test('what two calls execute in processes and their children is added up', async (t) => {
  const root = t.testdir({ 'package.json': '{"type":"module"}' });
  writeScript(root, 'runner/engine/a', TWO);
  writeScript(root, 'runner/engine/deep/b', TWO);
  writeScript(root, 'jobs/kv/never', TWO);
  const run = async (name: string, script: string): Promise<Counts | undefined> => {
    const recorder = new CoverageRecorder(root, join(root, 'build-coverage'));
    const child = `import { spawnSync } from 'node:child_process'; spawnSync(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(script)}], { stdio: 'inherit' });`;
    const env = { ...process.env, ...recorder.environment(name) };
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', child], {
      cwd: root,
      env,
      encoding: 'utf8',
    });
    t.equal(ended.status, 0, ended.stderr);
    await recorder.take(name);
    const { files } = await recorder.results();
    const folders = byFolder(
      Object.fromEntries(files.map(({ sourcePath, summary }) => [sourcePath, summary])),
    );
    t.same(Object.keys(folders).sort(), ['jobs/kv', 'runner/engine']);
    t.match(folders['jobs/kv']?.functions, { covered: 0, total: 2 }, 'nobody loaded it');
    return folders['runner/engine'];
  };
  const first = await run('one.test.js', `(await import('${root}/dist/runner/engine/a.js')).used();`);
  t.match(first?.functions, { covered: 1, total: 4 });
  const second = await run('two.test.js', `(await import('${root}/dist/runner/engine/a.js')).unused();`);
  t.match(second?.functions, { covered: 2, total: 4 }, 'what the earlier call recorded is kept');
});

t.test('rows are folders in order and one for all of them', async (t) => {
  const counts = (covered: number, total: number): Counts => ({
    statements: { covered, total },
    branches: { covered: 0, total: 0 },
    functions: { covered, total },
  });
  const folders = { 'runner/a': counts(1, 2), 'runner/b': counts(3, 6) };
  t.same(coverageRows({ date: '', commit: '', node: '', folders }), [
    ['runner/a', '50.0 %', '', '50.0 %'],
    ['runner/b', '50.0 %', '', '50.0 %'],
    ['all', '50.0 %', '', '50.0 %'],
  ]);
});
