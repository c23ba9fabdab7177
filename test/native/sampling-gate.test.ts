import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

t.test(
  'the sampling gate under ThreadSanitizer, ranks as threads; hostile handles are refused',
  async (t) => {
    const program = await nativeProgram('sampling_gate_test', 'thread');
    const ended = await run(program, [], { env: { TSAN_OPTIONS: 'halt_on_error=1 exitcode=66' } });
    t.match(ended, { status: 0, stdout: /failures: 0/ }, ended.stderr.slice(0, 3000));
  },
);
