/** Dispatch and combine on GPUs, a process per rank: every layout, payload and phase against the oracle, and planted faults. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { firstMissing, needsGpus, needsProgram } from '../helpers/require.js';
import { run } from '../helpers/run-cli.js';

// A first build of the program, on a machine that is busy, takes more than tap's 30 s.
t.setTimeout(600_000);

const needs = { skip: firstMissing(needsGpus(2)), timeout: 600_000 };

t.test('every layout, payload and phase on GPUs, a process per rank; faults are seen', needs, async (t) => {
  const ended = await run(await nativeProgram('moe_cuda_test'), [], { timeoutMs: 120_000 });
  t.equal(ended.status, 0, ended.stdout.slice(-3000));
  t.notMatch(ended.stdout, /^not ok/m);
  t.ok((ended.stdout.match(/^ok \d+ - /gm) ?? []).length >= 42, 'every case ran');
});

const needsSanitizer = {
  skip: firstMissing(needsGpus(2), needsProgram('compute-sanitizer', 'nvidia-cuda-toolkit')),
  timeout: 600_000,
};

t.test('compute-sanitizer finds no bad access in dispatch and combine', needsSanitizer, async (t) => {
  const program = await nativeProgram('moe_cuda_test');
  const args = ['--tool', 'memcheck', '--target-processes', 'all', '--error-exitcode', '9', program];
  // Each path between ranks and each layout once: every case takes some 15 s under it.
  const ended = await run('compute-sanitizer', [...args, 'bf16', 'fp8 hidden'], { timeoutMs: 500_000 });
  t.match(ended, { status: 0 }, ended.stdout.slice(-3000));
});
