import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findTests } from '../../scripts/tests/find-tests.js';
import { runTestFile } from '../../scripts/tests/run-file.js';
import { projectRoot } from '../../runner/project.js';
import { withTempDir } from '../helpers/with-temp-dir.js';

async function casesOf(source: string): Promise<{ name: string; status: string; detail: string }[]> {
  return withTempDir(async (folder) => {
    const path = join(folder, 'x.test.mjs');
    writeFileSync(path, source);
    const outcome = await runTestFile({ path, name: 'x', heavy: false }, projectRoot);
    return [...outcome.cases];
  });
}

t.test('a file that exits with a status although no test failed has failed', async (t) => {
  const cases = await casesOf(`console.log('TAP version 14\\nok 1 - a\\n1..1'); process.exitCode = 7;`);
  t.match(cases, [{ status: 'passed' }, { status: 'failed', detail: /exit status 7/ }]);
});

t.test('a file without ranks, and what it starts, gives way to one with them', async (t) => {
  const helper = join(projectRoot, 'dist', 'test', 'helpers', 'run-cli.js');
  const source = `
    import { getPriority } from 'node:os';
    import { run } from ${JSON.stringify(helper)};
    while (getPriority() < 5) await new Promise((resolve) => setTimeout(resolve, 10));
    // It is told to go on once its niceness is set.
    const words = ['-c', 'read go; nice; cat /proc/self/autogroup 2>/dev/null'];
    const { stdout } = await run('sh', words, { input: 'go\\n' });
    const own = getPriority();
    const isOwn = new RegExp('^' + own + '\\\\n(.* nice ' + own + '\\\\n)?$').test(stdout);
    const ok = isOwn ? 'ok' : 'not ok';
    console.log('TAP version 14\\n' + ok + ' 1 - ' + JSON.stringify(stdout) + '\\n1..1');`;
  t.match(await casesOf(source), [{ status: 'passed' }]);
});

t.test('a file that says nothing has failed', async (t) => {
  t.match(await casesOf(''), [{ status: 'failed', detail: /said nothing/ }]);
});

t.test('a file that dies in the middle has failed', async (t) => {
  const cases = await casesOf(
    `console.log('TAP version 14\\nok 1 - a'); process.kill(process.pid, 'SIGKILL');`,
  );
  t.ok(cases.some(({ status }) => status === 'failed'));
});

t.test('files that start ranks or hosts run one at a time, unless their worlds are small', async (t) => {
  const names = ['test/scripts/run-file', 'test/helpers/mpirun', 'test/mpi/refusals'];
  const files = findTests(join(projectRoot, 'dist'), names);
  t.same(
    files.map(({ name, heavy }) => [name, heavy]),
    [
      ['test/helpers/mpirun.test.js', true],
      ['test/mpi/refusals.test.js', false],
      ['test/scripts/run-file.test.js', false],
    ],
  );
});
