/** Computations in a thread of their own: the answer, or an error of a known code, and never a promise without an end. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { answerOffMainThread, offMainThread } from '../../../runner/job/off-main-thread.js';
import { ResourceCache } from '../../../runner/job/resources.js';
import { projectRoot } from '../../../runner/project.js';

const OURS = pathToFileURL(join(projectRoot, 'dist', 'runner')).href;

/** A module whose thread answers with `answer(request)`, or runs `body` in place of that. */
function moduleOf(t: Test, answer: string, body = `answerOffMainThread(${answer});`): URL {
  const path = join(t.testdir(), 'module.mjs');
  const lines = [
    `import { answerOffMainThread } from '${OURS}/job/off-main-thread.js';`,
    `import { RunnerError } from '${OURS}/errors.js';`,
    body,
  ];
  writeFileSync(path, lines.join('\n'));
  return pathToFileURL(path);
}

const { signal } = new AbortController();

t.test('the answer comes back, and memory goes over', async (t) => {
  const module = moduleOf(t, '(request) => request.numbers.reduce((a, b) => a + b)');
  const numbers = Float64Array.of(1, 2, 4);
  t.equal(await offMainThread(module, { numbers }, { signal, transfer: [numbers.buffer] }), 7);
  t.equal(numbers.length, 0, 'it was handed over, not copied');
});

t.test('an error keeps its code; one without is E_JOB, one of nobody E_INTERNAL', async (t) => {
  const coded = moduleOf(t, `() => { throw new RunnerError('E_TRACE', 'line 3: expected a number'); }`);
  await t.rejects(offMainThread(coded, {}, { signal }), {
    code: 'E_TRACE',
    message: 'line 3: expected a number',
  });
  const plain = moduleOf(t, `() => { throw new Error('no reason'); }`);
  await t.rejects(offMainThread(plain, {}, { signal }), { code: 'E_JOB', message: 'no reason' });
  const foreign = moduleOf(
    t,
    '',
    `import { parentPort } from 'node:worker_threads';
    parentPort.postMessage({ code: 'E_OF_NOBODY', message: 'odd', stack: '' });`,
  );
  await t.rejects(offMainThread(foreign, {}, { signal }), { code: 'E_INTERNAL', message: 'odd' });
});

t.test('a thread that ends without an answer, or cannot load, is an error', async (t) => {
  const silent = moduleOf(t, '', 'process.exit(3);');
  await t.rejects(offMainThread(silent, {}, { signal }), {
    code: 'E_INTERNAL',
    message: /module\.mjs ended with 3, without an answer/,
  });
  const broken = moduleOf(t, '', 'this is not JavaScript');
  await t.rejects(offMainThread(broken, {}, { signal }), { code: 'E_JOB', message: /Unexpected identifier/ });
});

t.test('a stage that ends takes its computation with it', async (t) => {
  const endless = moduleOf(t, '', 'for (;;);');
  const stage = new AbortController();
  const waiting = offMainThread(endless, {}, { signal: stage.signal });
  stage.abort();
  await t.rejects(waiting, { code: 'E_ABORTED' });
  await t.rejects(
    offMainThread(endless, {}, { signal: stage.signal }),
    { code: 'E_ABORTED' },
    'before it starts',
  );
});

t.test(
  'a thread that runs out of memory is an allocation that failed, not the end of the process',
  async (t) => {
    const module = moduleOf(
      t,
      '',
      'for (const all = []; ; ) all.push(Array.from({ length: 1e5 }, Math.random));',
    );
    const script = `const { offMainThread } = await import('${OURS}/job/off-main-thread.js');
    const { signal } = new AbortController();
    await offMainThread(new URL('${module.href}'), {}, { signal }).catch(({ code, message }) => console.log(code, message));`;
    const small = ['--max-old-space-size=50', '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)(process.execPath, small);
    t.match(stdout, /^E_ALLOCATION a thread for a long computation: .*memory.*: raise the limits of /);
  },
);

t.test('only a thread answers', async (t) => {
  t.throws(() => answerOffMainThread(() => 1), { message: /runs in a thread that offMainThread starts/ });
});

t.test('resources are made once, and closed newest first whatever one of them says', async (t) => {
  const cache = new ResourceCache();
  const closed: string[] = [];
  const make =
    (name: string, fails = false) =>
    () =>
      Promise.resolve({
        close: async () => {
          closed.push(name);
          if (fails) throw new Error(`${name} is busy`);
        },
      });
  const pool = await cache.acquire('pool', make('pool'));
  t.equal(await cache.acquire('pool', make('another pool')), pool);
  await cache.acquire('ring', make('ring', true));
  await cache.acquire('files', make('files'));
  await t.rejects(
    cache.retain((key) => key === 'pool'),
    { message: 'ring is busy' },
  );
  t.same(closed, ['files', 'ring']);
  await cache.drop('nothing');
  await cache.closeAll();
  t.same(closed, ['files', 'ring', 'pool']);
});
