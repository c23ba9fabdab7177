/** Teams of threads: no race, no double call, and an error where the system refuses a thread. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

t.setTimeout(1_200_000); // the sanitizer's build of all modules is part of it

t.test('copy teams of 3 to 6 threads under ThreadSanitizer, with changing numbers of workers', async (t) => {
  const program = await nativeProgram('copy_team_test', 'thread');
  const ended = await run(program, ['3000'], { env: { TSAN_OPTIONS: 'halt_on_error=1 exitcode=66' } });
  t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(0, 3000));
});

/** RAILRUNNER_THREADS_PER_RANK, which the programs read as runs do. */
const threads = process.env['RAILRUNNER_THREADS_PER_RANK'];
const skip =
  threads === undefined && 'needs RAILRUNNER_THREADS_PER_RANK, 6 say: builds all of native with a sanitizer';

for (const name of ['kv_transfer_test', 'kv_groups_test']) {
  t.test(`${name} under ThreadSanitizer with ${threads ?? 'more'} threads per rank`, { skip }, async (t) => {
    const program = await nativeProgram(name, 'thread');
    const env = { TSAN_OPTIONS: 'halt_on_error=1 exitcode=66' };
    const ended = await run(program, [], { env, timeoutMs: 600_000 });
    t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(-3000));
  });
}

t.test('replicated mode on the host device, ranks as threads, under ThreadSanitizer', { skip }, async (t) => {
  const program = await nativeProgram('replicated_threads_test', 'thread');
  const env = { TSAN_OPTIONS: 'halt_on_error=1 exitcode=66' };
  const clean = await run(program, ['20'], { env, timeoutMs: 600_000 });
  t.match(clean, { status: 0, stdout: /20 transfers/ }, clean.stderr.slice(0, 3000));
  const planted = await run(program, ['20', 'wordsApart'], { env, timeoutMs: 600_000 });
  t.match(planted, { status: 66, stderr: /data race/ }, 'words that order nothing are reported');
});

t.test('a thread that the system refuses is an error that names the limits', async (t) => {
  const ended = await run(await nativeProgram('threads_test'), []);
  t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(0, 3000));
});
