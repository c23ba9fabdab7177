import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { firstMissing, needsGpus, needsProgram } from '../helpers/require.js';
import { run } from '../helpers/run-cli.js';

// A first build of the program, on a machine that is busy, takes more than tap's 30 s.
t.test(
  'what a copy to or from a GPU does in which step is right, without a GPU',
  { timeout: 600_000 },
  async (t) => {
    const program = await nativeProgram('copy_schedule_test', 'address,undefined');
    const ended = await run(program, []);
    t.match(ended, { status: 0 }, ended.stdout + ended.stderr.slice(0, 3000));
  },
);

const needs = { skip: firstMissing(needsGpus(1)), timeout: 600_000 };

t.test('every copy strategy and every pair of tiers on a GPU', needs, async (t) => {
  for (const name of ['cuda_copy_test', 'cuda_transfer_test']) {
    const program = await nativeProgram(name);
    const ended = await run(program, []);
    t.match(ended, { status: 0, stdout: /^ok 1/m }, ended.stdout.slice(-3000));
  }
});

const needsSanitizer = {
  skip: firstMissing(needsGpus(1), needsProgram('compute-sanitizer', 'nvidia-cuda-toolkit')),
  timeout: 600_000,
};

t.test('compute-sanitizer finds no bad access in the strategies', needsSanitizer, async (t) => {
  for (const name of ['cuda_copy_test', 'cuda_transfer_test']) {
    const program = await nativeProgram(name);
    const ended = await run('compute-sanitizer', ['--tool', 'memcheck', '--error-exitcode', '9', program]);
    t.match(ended, { status: 0, stdout: /ERROR SUMMARY: 0 errors/ }, ended.stdout.slice(-3000));
  }
});
