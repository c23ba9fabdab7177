/** Coverage of real processes, summed by folder: here, and brought from another machine; what fell below the record. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { carriedModules, comparable, packCarried, readCarried } from '../../scripts/coverage/carried.js';
import { byFolder, countsOf, type Counts } from '../../scripts/coverage/counts.js';
import { coverageRows } from '../../scripts/coverage/record.js';
import { CoverageRecorder } from '../../scripts/coverage/recorder.js';
import { unexecutedOf } from '../../scripts/coverage/unexecuted.js';

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
    const folders = byFolder(files);
    t.same(Object.keys(folders).sort(), ['jobs/kv', 'runner/engine']);
    t.match(folders['jobs/kv']?.functions, { covered: 0, total: 2 }, 'nobody loaded it');
    return folders['runner/engine'];
  };
  const first = await run('one.test.js', `(await import('${root}/dist/runner/engine/a.js')).used();`);
  t.match(first?.functions, { covered: 1, total: 4 });
  const second = await run('two.test.js', `(await import('${root}/dist/runner/engine/a.js')).unused();`);
  t.match(second?.functions, { covered: 2, total: 4 }, 'what the earlier call recorded is kept');
  const copied = join(root, 'copy', 'dist', 'runner', 'engine', 'deep', 'b.js');
  mkdirSync(dirname(copied), { recursive: true });
  copyFileSync(join(root, 'dist', 'runner', 'engine', 'deep', 'b.js'), copied);
  const third = await run('three.test.js', `(await import('${copied}')).used();`);
  t.match(third?.functions, { covered: 3, total: 4 }, 'a copy of a module counts as the module');
  writeFileSync(copied, 'export const another = () => 1;\nexport const unused = () => 2; unused();');
  const fourth = await run('four.test.js', `await import('${copied}');`);
  t.match(fourth?.functions, { covered: 3, total: 4 }, 'another module in its place does not');
});

/** What `script` executes, recorded in `raw`. */
function record(cwd: string, raw: string, script: string): void {
  const env = { ...process.env, NODE_V8_COVERAGE: raw };
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd,
    env,
    encoding: 'utf8',
  });
  if (ended.status !== 0) throw new Error(ended.stderr);
}

t.test('what a bundle elsewhere executed is added, except of modules that changed since', async (t) => {
  const root = t.testdir({ 'package.json': '{"type":"module"}' });
  writeScript(root, 'runner/engine/a', TWO);
  writeScript(root, 'jobs/kv/changed', TWO);
  // A bundle has the same modules in another place, without source maps or sources.
  const bundle = t.testdirName + '-bundle';
  t.teardown(() => spawnSync('rm', ['-r', bundle]));
  for (const module of ['runner/engine/a', 'jobs/kv/changed']) {
    mkdirSync(join(bundle, 'dist', dirname(module)), { recursive: true });
    copyFileSync(join(root, 'dist', `${module}.js`), join(bundle, 'dist', `${module}.js`));
  }
  writeFileSync(join(bundle, 'package.json'), '{"type":"module"}');
  const raw = join(bundle, 'raw');
  for (const name of ['used', 'unused', 'used'])
    record(
      bundle,
      raw,
      `for (const m of ['runner/engine/a', 'jobs/kv/changed']) (await import('./dist/' + m + '.js')).${name}();`,
    );
  writeFileSync(join(raw, 'killed.json'), '{"result":[{"url":'); // its process was killed while it wrote
  const modules = carriedModules(raw, join(bundle, 'dist'));
  t.equal(modules['runner/engine/a.js']?.runs.length, 2, 'what two processes did alike is there once');
  const file = join(bundle, 'carried');
  writeFileSync(file, packCarried({ date: '2026-01-02', commit: 'abc', modules }));

  writeScript(root, 'jobs/kv/changed', `${TWO}// since\n`);
  const recorder = new CoverageRecorder(root, join(root, 'build-coverage'));
  record(
    root,
    recorder.environment('x')['NODE_V8_COVERAGE'] ?? '',
    "(await import('./dist/runner/engine/a.js')).used();",
  );
  await recorder.take('x');
  const here = await recorder.results();
  t.match(
    here.files.map(({ summary }) => summary.functions),
    [{ covered: 0 }, { covered: 1 }],
  );
  const { results, changed } = await recorder.resultsWith(readCarried(file));
  t.same(changed, ['jobs/kv/changed.js']);
  t.match(
    results.files.map(({ sourcePath, summary }) => [sourcePath, summary.functions]),
    [
      ['jobs/kv/changed.ts', { covered: 0, total: 2 }],
      ['runner/engine/a.ts', { covered: 2, total: 2 }],
    ],
  );
});

t.test('what sets the fields of a class does not hide that its constructor ran', async (t) => {
  const of = (functionName: string, count: number) => ({
    functionName,
    isBlockCoverage: true,
    ranges: [{ startOffset: 10, endOffset: 90, count }],
  });
  const kept = [of('', 1), of('AClass', 1)];
  t.same(comparable([of('', 1), of('<instance_members_initializer>', 0), of('AClass', 1)]), kept);
});

/** So many statements and functions, and no branches. */
function counts(covered: number, total: number): Counts {
  return {
    statements: { covered, total },
    branches: { covered: 0, total: 0 },
    functions: { covered, total },
  };
}

const STATED = { folders: { 'runner/a': counts(1, 2), 'runner/b': counts(3, 6) } };

t.test('rows are folders in order and one for all of them, then the same with GPUs', async (t) => {
  t.same(coverageRows(STATED), [
    ['runner/a', '50.0 %', '', '50.0 %'],
    ['runner/b', '50.0 %', '', '50.0 %'],
    ['all', '50.0 %', '', '50.0 %'],
  ]);
  const withGpus = { date: '', commit: '', folders: { 'runner/a': counts(2, 2), 'runner/b': counts(4, 6) } };
  t.same(coverageRows({ ...STATED, withGpus }).at(-1), [
    'all',
    '50.0 %',
    '',
    '50.0 %',
    '75.0 %',
    '',
    '75.0 %',
  ]);
});

t.test('code that a comment excuses still counts as not executed', async (t) => {
  const root = t.testdir({ 'package.json': '{"type":"module"}' });
  const body = `${TWO.replace('  return 2', '  // v8 ignore next -- failing disk\n  return 2')}`;
  writeScript(root, 'runner/a', body);
  const recorder = new CoverageRecorder(root, join(root, 'build-coverage'));
  const raw = recorder.environment('x')['NODE_V8_COVERAGE'] ?? '';
  record(root, raw, "(await import('./dist/runner/a.js')).used();");
  await recorder.take('x');
  const { files } = await recorder.results();
  t.match(files.map(countsOf), [{ functions: { covered: 1, total: 2 } }]);
  t.same(
    unexecutedOf(files).map(({ metric, line, why }) => [metric, line, why]),
    [
      ['statements', 4, undefined],
      ['statements', 6, 'failing disk'],
      ['functions', 4, undefined],
    ],
  );
});
