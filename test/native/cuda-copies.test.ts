import t from 'tap';
import { nativeProgram, runSanitized } from '../helpers/native-program.js';

// A first build of the program, on a machine that is busy, takes more than tap's 30 s.
t.test(
  'what a copy to or from a GPU does in which step is right, without a GPU',
  { timeout: 600_000 },
  async (t) => {
    const program = await nativeProgram('copy_schedule_test', 'address,undefined');
    const ended = await runSanitized(program, []);
    t.match(ended, { status: 0 }, ended.stdout + ended.stderr.slice(0, 3000));
  },
);

t.test(
  'kernels that fill and check pools visit every byte once, without a GPU',
  { timeout: 600_000 },
  async (t) => {
    const program = await nativeProgram('span_sets_test', 'address,undefined');
    const ended = await runSanitized(program, []);
    t.match(ended, { status: 0 }, ended.stdout + ended.stderr.slice(0, 3000));
  },
);
