/** Dispatch and combine with ranks as threads: formats, values, calls, and the ordering that processes cannot show. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

t.test('sizes, offsets and number formats are the golden ones', async (t) => {
  const ended = await run(await nativeProgram('moe_layout_test'), []);
  t.match(ended, { status: 0, stdout: /^0 failures/m }, ended.stderr.slice(0, 3000));
});

t.test(
  'every format and layout against a plain reference; silent ranks and flipped bits are seen',
  async (t) => {
    const ended = await run(await nativeProgram('moe_exchange_test'), []);
    t.match(ended, { status: 0, stdout: /^0 failures/m }, ended.stderr.slice(0, 3000));
  },
);

t.test('a token that crosses once per node and is forwarded there', async (t) => {
  const ended = await run(await nativeProgram('moe_forward_test'), []);
  t.match(ended, { status: 0, stdout: /^0 failures/m }, ended.stderr.slice(0, 3000));
});

t.test('10 000 calls with changing tokens and skewed routing stay exact', async (t) => {
  const ended = await run(await nativeProgram('moe_stress_test'), ['10000'], { timeoutMs: 400_000 });
  t.match(ended, { status: 0 }, ended.stderr.slice(0, 3000));
});

t.test('ThreadSanitizer sees no race, and sees a missing release', async (t) => {
  const program = await nativeProgram('moe_stress_test', 'thread');
  const env = { TSAN_OPTIONS: 'halt_on_error=1 exitcode=66' };
  const clean = await run(program, ['1000'], { env, timeoutMs: 400_000 });
  t.match(clean, { status: 0 }, clean.stderr.slice(0, 3000));
  const planted = await run(program, ['200', 'missingRelease'], { env, timeoutMs: 400_000 });
  t.match(planted, { status: 66, stderr: /data race/ }, 'signals stored relaxed are reported');
});

t.test('the symmetric buffer between processes; hostile handles are refused by all', async (t) => {
  const ended = await run(await nativeProgram('peers_test'), []);
  t.match(ended, { status: 0, stdout: /failures: 0/ }, ended.stderr.slice(0, 3000));
});
