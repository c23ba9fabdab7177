/** High throughput with ranks as threads: what is refused, exactness while counts change, and the ordering of rows. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

t.test(
  'counts by hand, 20 equal repeats, overflow, other handles, bad memory and a missing rank',
  async (t) => {
    const ended = await run(await nativeProgram('moe_high_test'), []);
    t.match(ended, { status: 0, stdout: /^0 failures/m }, ended.stderr.slice(0, 3000));
  },
);

t.test('10 000 calls with changing counts and skewed routing stay exact', async (t) => {
  const ended = await run(await nativeProgram('moe_high_stress_test'), ['10000'], { timeoutMs: 400_000 });
  t.match(ended, { status: 0 }, ended.stderr.slice(0, 3000));
});

t.test('ThreadSanitizer sees no race, and sees a missing release', async (t) => {
  const program = await nativeProgram('moe_high_stress_test', 'thread');
  const env = { TSAN_OPTIONS: 'halt_on_error=1 exitcode=66' };
  const clean = await run(program, ['600'], { env, timeoutMs: 400_000 });
  t.match(clean, { status: 0 }, clean.stderr.slice(0, 3000));
  const planted = await run(program, ['200', 'missingRelease'], { env, timeoutMs: 400_000 });
  t.match(planted, { status: 66, stderr: /data race/ }, 'words stored relaxed are reported');
});
