/** What the operating system refuses ends with its class and what to do, never with a stack trace. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { firstMissing, needsMpi, needsNamespaces } from '../helpers/require.js';
import { railrunner, run } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';
import { knownSystemFailure, outputError } from '../../runner/system-failure.js';

/** Of a stack; a path in the sentence itself is none. */
const STACK_LINES = /\n\s+at |node:internal/;
const STACK = /\n\s+at |node:internal|\.js:\d+/;

t.test('an error without a code is told in its own words', async (t) => {
  t.match(outputError('x.csv cannot be written', new Error('odd')), {
    code: 'E_OUTPUT',
    message: 'x.csv cannot be written: odd. Free space, or name another folder by --out.',
  });
});

t.test('a working folder that was deleted', async (t) => {
  const folder = join(t.testdir(), 'gone');
  mkdirSync(folder);
  const spec = writeSmallSpec(join(folder, '..'));
  const script = `cd ${folder} && rm -r ${folder} && exec ${process.execPath} ${railrunner} validate ${spec}`;
  const ended = await run('sh', ['-c', script]);
  t.notMatch(ended.stderr, STACK);
  t.equal(ended.status, 3, ended.stderr);
  t.match(ended.stderr, /^railrunner: E_OUTPUT: the working folder is gone/);
});

t.test('fewer files than the command itself is made of', async (t) => {
  const spec = writeSmallSpec(t.testdir());
  for (const files of [30, 40]) {
    const script = `ulimit -n ${files} && exec ${process.execPath} ${railrunner} run ${spec}`;
    const ended = await run('sh', ['-c', script]);
    t.equal(ended.status, 3, ended.stderr);
    t.match(ended.stderr, /^railrunner: E_OUTPUT: .*EMFILE.*ulimit -n/);
    t.notMatch(ended.stderr, STACK_LINES);
  }
});

const skip = firstMissing(needsNamespaces(), needsMpi('openmpi'));
t.test('a folder without inodes for the log', { skip }, async (t) => {
  const folder = t.testdir();
  const spec = writeSmallSpec(folder);
  const out = join(folder, 'out');
  mkdirSync(out);
  // The folder itself, the run's folder and its manifest: nothing is left for the log.
  const script = `mount -t tmpfs -o size=1m,nr_inodes=3 none ${out} && exec ${process.execPath} ${railrunner} run ${spec} --out ${out}`;
  const ended = await run('unshare', ['-m', 'sh', '-c', script]);
  t.equal(ended.status, 3, ended.stderr);
  t.match(ended.stderr, /No space|ENOSPC|no space/);
  t.notMatch(ended.stderr, STACK);
});

t.test('classes', async (t) => {
  const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  t.match(outputError('x.log cannot be made', full), { code: 'E_OUTPUT', message: /x\.log.*Free space/ });
  t.match(knownSystemFailure(Object.assign(new Error('EMFILE'), { code: 'EMFILE' })), {
    message: /ulimit -n/,
  });
  t.equal(knownSystemFailure(new TypeError('x is not a function')), undefined);
});

t.test('a module that is there and was not found for want of descriptors', async (t) => {
  const here = dirname(fileURLToPath(import.meta.url));
  const packages = join(here, '..', '..', '..', 'node_modules');
  const notFound = (what: string, asked: string) =>
    Object.assign(new Error(`Cannot find ${what} '${asked}' imported from x.js`), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
  for (const error of [
    notFound('package', join(packages, 'pino', 'index.js')),
    notFound('package', 'pino'),
    notFound('package', '@types/node'),
    notFound('module', join(packages, 'pino', 'lib', 'tools.js')),
    notFound('module', fileURLToPath(import.meta.url)),
  ]) {
    t.match(knownSystemFailure(error), { code: 'E_OUTPUT', message: /EMFILE.*ulimit -n/ }, error.message);
  }
  for (const error of [
    notFound('package', join(packages, 'not-there', 'index.js')),
    notFound('package', 'not-there'),
    notFound('module', join(here, 'not-there.js')),
  ]) {
    t.equal(knownSystemFailure(error), undefined, error.message);
  }
});
