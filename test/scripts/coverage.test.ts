/** Coverage of real processes, summed by folder: here, and brought from another machine; what fell below the record. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { CoverageFile } from 'monocart-coverage-reports';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { carriedModules, packCarried, readCarried } from '../../scripts/coverage/carried.js';
import { fallbacksIn, leftOf, ON_GPUS, UNTESTED } from '../../scripts/coverage/left.js';
import { LEFT_REASONS } from '../../scripts/coverage/left-reasons.js';
import { byFolder, coverageRows, fallsBelow, type Counts } from '../../scripts/coverage/record.js';
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

/** So many statements and functions, and no branches. */
function counts(covered: number, total: number): Counts {
  return {
    statements: { covered, total },
    branches: { covered: 0, total: 0 },
    functions: { covered, total },
  };
}

const STATED = {
  date: '',
  commit: '',
  node: '',
  tests: '',
  left: {},
  numFallbacks: 0,
  folders: { 'runner/a': counts(1, 2), 'runner/b': counts(3, 6) },
};

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

t.test('a folder that fell below what the record states is named, with both figures', async (t) => {
  t.same(fallsBelow(STATED.folders, STATED), []);
  t.same(
    fallsBelow({ 'runner/a': counts(499, 1000), 'runner/new': counts(0, 9) }, STATED),
    [],
    'a race may miss one',
  );
  t.match(fallsBelow({ 'runner/a': counts(49, 100), 'runner/b': counts(6, 6) }, STATED), [
    /^runner\/a: 49\.0 % of statements, 50\.0 % expected/,
    /^runner\/a: 49\.0 % of functions, 50\.0 % expected/,
  ]);
});

/** `source` of a file, of which the statements and ranges with these texts ran so often. */
function fileOf(sourcePath: string, source: string, counts: Readonly<Record<string, number>>): CoverageFile {
  const ranges = Object.entries(counts).map(([text, count]) => {
    const start = source.indexOf(text);
    return { start, end: start + text.length, count };
  });
  return { sourcePath, source, data: { statements: ranges, bytes: ranges } } as unknown as CoverageFile;
}

t.test('what is left has its reason: GPUs, the statement itself, the list, or none', async (t) => {
  const [onGpu, thrown, broken, listed] = [
    'gpu();',
    'throw error;',
    "throw new RunnerError('E_STATE', 'x');",
    'rare();',
  ];
  const source = [onGpu, thrown, broken, listed, 'ran();'].join('\n');
  const counts = { [onGpu]: 0, [thrown]: 0, [broken]: 0, [listed]: 0, 'ran();': 3 };
  const files = ['jobs/b.ts', 'jobs/a.ts'].map((path) => fileOf(path, source, counts));
  const left = leftOf(files, [fileOf('jobs/a.ts', source, { ...counts, [onGpu]: 1 })], {
    'jobs/a.ts': 'a rare machine',
  });
  t.same(left, {
    [ON_GPUS]: { 'jobs/a.ts': 1 },
    'an error that is not the one looked for is thrown on': { 'jobs/a.ts': 1, 'jobs/b.ts': 1 },
    'an assumption of the code did not hold: only a mistake in it gets there': {
      'jobs/a.ts': 1,
      'jobs/b.ts': 1,
    },
    'a rare machine': { 'jobs/a.ts': 1 },
    [UNTESTED]: { 'jobs/b.ts': 2 },
  });
});

t.test('every file that has a reason is there', async (t) => {
  for (const path of Object.keys(LEFT_REASONS)) t.ok(existsSync(join(projectRoot, path)), path);
});

t.test('a literal behind ?? that was never taken is counted apart', async (t) => {
  const taken = { '?? 0': 0, "?? ''": 2, '?? other()': 0, '? 1 : 2': 0 };
  t.equal(fallbacksIn([fileOf('a.ts', Object.keys(taken).join(';'), taken)]), 1);
});
