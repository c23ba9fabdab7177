/** What the process as a whole does: its log, its standard outputs, and where it finds what belongs to it. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LogFile } from '../../runner/log.js';
import { projectRoot } from '../../runner/project.js';
import { run } from '../helpers/run-cli.js';

const moduleOf = (path: string): string => JSON.stringify(join(projectRoot, 'dist', 'runner', path));

function runScript(script: string) {
  return run(process.execPath, ['--input-type=module', '-e', script]);
}

t.test('lines of a log wait for its folder, up to a thousand', async (t) => {
  const folder = t.testdir();
  const log = new LogFile();
  for (let line = 0; line < 1200; line += 1) log.write(`${line}\n`);
  await log.open(folder, 3);
  log.write('later\n');
  await log.close();
  const lines = readFileSync(join(folder, 'rank-0003.log'), 'utf8').split('\n');
  t.same([lines.length, lines[999], lines[1000]], [1002, '999', 'later']);
});

t.test('a standard output that fails ends nothing, and what is thrown is told whatever it is', async (t) => {
  const main = (body: string): string =>
    `const { main } = await import(${moduleOf('main.js')});
     await main(['schema'], { loadKinds: async () => { ${body} } });`;
  const failing = await runScript(main("process.stdout.emit('error', new Error('EPIPE')); return [];"));
  t.equal(failing.status, 0, failing.stderr);
  t.match(
    (await runScript(main("throw 'a word';"))).stderr,
    /^railrunner: E_INTERNAL: a word\. Please report/,
  );
});

t.test('a reader that does not read costs text, not the run', async (t) => {
  const ready = join(t.testdir(), 'ready');
  const script = `const { printOut } = await import(${moduleOf('print.js')});
    const { writeFileSync } = await import('node:fs');
    printOut('x'.repeat(200_000));
    printOut('dropped');
    writeFileSync(${JSON.stringify(ready)}, '');`;
  const slow = '"$0" --input-type=module -e "$1" | { while [ ! -e "$2" ]; do sleep 0.1; done; cat; }';
  const { stdout } = await run('sh', ['-c', slow, process.execPath, script, ready]);
  t.match(stdout, /^x+$/, 'what the pipe took');
});

t.test('a bundle has its native files next to dist, and may come from outside of Git', async (t) => {
  const root = t.testdir({ 'package.json': '{"type":"module","version":"1.2.3"}' });
  cpSync(join(projectRoot, 'dist', 'runner'), join(root, 'dist', 'runner'), { recursive: true });
  writeFileSync(join(root, 'dist', 'commit.json'), '{"commit":null}');
  const ask = `const { nativeFolder } = await import(${JSON.stringify(join(root, 'dist/runner/native/binding.js'))});
    const { buildCommit, railrunnerVersion } = await import(${JSON.stringify(join(root, 'dist/runner/project.js'))});
    console.log(JSON.stringify([nativeFolder(), buildCommit(), railrunnerVersion()]));`;
  const asked = async (): Promise<unknown> => JSON.parse((await runScript(ask)).stdout);
  t.same(await asked(), [join(root, 'build', 'Release'), null, '1.2.3']);
  mkdirSync(join(root, 'native'));
  writeFileSync(join(root, 'native', 'railrunner.node'), '');
  t.same(await asked(), [join(root, 'native'), null, '1.2.3']);
});
