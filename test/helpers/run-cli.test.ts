import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { cleanEnvironment, killGroup, run, start } from './run-cli.js';

t.test('a child sees neither launchers nor the test runner', async (t) => {
  process.env['PMI_RANK'] = '3';
  t.teardown(() => delete process.env['PMI_RANK']);
  t.notOk(Object.keys(cleanEnvironment()).some((name) => /^(TAP|_TAPJS|PMI_|NODE_OPTIONS)/.test(name)));
  t.match(cleanEnvironment({ RAIL_X: '1', PATH: undefined }), { RAIL_X: '1', PATH: undefined });
});

t.test('status, signal, both outputs and input', async (t) => {
  t.match(await run('sh', ['-c', 'cat; echo e >&2; exit 5'], { input: 'hello' }), {
    status: 5,
    signal: null,
    stdout: 'hello',
    stderr: 'e\n',
    timedOut: false,
  });
});

t.test('a child that outlives its limit is killed with what it started', async (t) => {
  const line = ['-c', 'sleep 100 & echo $!; wait'];
  // A loaded machine may not come to the echo within the first limits; then nothing is known of the sleep.
  let ended = await run('sh', line, { timeoutMs: 300 });
  for (let timeoutMs = 600; ended.stdout === '' && timeoutMs < 60_000; timeoutMs *= 2) {
    ended = await run('sh', line, { timeoutMs });
  }
  t.match(ended, { status: null, signal: 'SIGKILL', timedOut: true, stdout: /^\d+\n$/ });
  const lives = (): boolean => {
    try {
      return !/\) [ZX] /.test(readFileSync(`/proc/${ended.stdout.trim()}/stat`, 'utf8'));
    } catch {
      return false;
    }
  };
  // A killed process is there until a core was free for it to die on.
  const deadline = Date.now() + 30_000;
  while (lives() && Date.now() < deadline) await sleep(20);
  t.notOk(lives(), 'the sleep it started is gone too');
});

t.test('waitFor sees a line, or says what was there instead', async (t) => {
  const running = start('sh', ['-c', 'echo ready; sleep 100']);
  t.equal((await running.waitFor(/rea(dy)/))[1], 'dy');
  killGroup(running.child, 'SIGTERM');
  t.match(await running.finished, { signal: 'SIGTERM' });
  await t.rejects(running.waitFor(/never/), /never.*not seen; stdout:\nready/);
});
