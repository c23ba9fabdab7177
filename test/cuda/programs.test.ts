/** Native programs that need a GPU: every copy strategy, transfers and checks, memory of one process used by another. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { firstMissing, needsGpus, needsProgram } from '../helpers/require.js';
import { run } from '../helpers/run-cli.js';

// A first build of the programs, on a machine that is busy, takes more than tap's 30 s.
t.setTimeout(600_000);

const needs = { skip: firstMissing(needsGpus(1)), timeout: 600_000 };
const limit = { timeoutMs: 300_000 };

for (const name of [
  'cuda_copy_test',
  'cuda_transfer_test',
  'cuda_groups_test',
  'cuda_peers_test',
  'cuda_high_throughput_test',
]) {
  t.test(`${name} on a GPU`, needs, async (t) => {
    const ended = await run(await nativeProgram(name), [], limit);
    t.match(ended, { status: 0, stdout: /^ok 1/m }, ended.stdout.slice(-3000) + ended.stderr.slice(-3000));
    t.comment(`${name}: ${(ended.stdout.match(/^ok \d/gm) ?? []).length} cases`);
  });
}

for (const name of [
  'every-tier',
  'many-copies',
  'lost-context',
  'planted-faults',
  'early-for-kernels',
  'over-network',
]) {
  t.test(`transfers between ranks on 2 GPUs: ${name}`, { ...needs, skip: needsGpus(2) }, async (t) => {
    const ended = await run(await nativeProgram('cuda_rank_transfer_test'), [name, '2'], limit);
    t.equal(ended.status, 0, ended.stdout.slice(-3000) + ended.stderr.slice(-3000));
  });
}
// Ranks take turns on two GPUs, so that chains of three and four are walked too.
t.test('replicated_test on two GPUs', { ...needs, skip: firstMissing(needsGpus(2)) }, async (t) => {
  const program = await nativeProgram('replicated_test');
  for (const name of (await run(program, [], limit)).stdout.trim().split('\n')) {
    const { status, stdout, stderr } = await run(program, [name, '2'], limit);
    t.equal(status, 0, `${name}: ${`${stdout}${stderr}`.slice(-3000)}`);
  }
});

const needsSanitizer = {
  skip: firstMissing(needsGpus(1), needsProgram('compute-sanitizer', 'nvidia-cuda-toolkit')),
  timeout: 600_000,
};

const checkedPrograms: readonly (readonly [string, readonly string[]])[] = [
  ['cuda_copy_test', []],
  ['cuda_transfer_test', []],
  ['cuda_groups_test', []],
  ['replicated_test', ['few-blocks', '1']],
];

for (const [name, args] of checkedPrograms) {
  t.test(`compute-sanitizer finds no bad access in ${name}`, needsSanitizer, async (t) => {
    const program = await nativeProgram(name);
    const checked = [
      '--tool',
      'memcheck',
      '--target-processes',
      'all',
      '--error-exitcode',
      '9',
      program,
      ...args,
    ];
    const ended = await run('compute-sanitizer', checked, limit);
    t.match(ended, { status: 0, stdout: /ERROR SUMMARY: 0 errors/ }, ended.stdout.slice(-3000));
  });
}
