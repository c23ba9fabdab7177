/** Dispatch and combine on GPUs: what runs on them, and without a GPU the scopes of memory order in what is compiled. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { nativeProgram, runSanitized } from '../helpers/native-program.js';
import { firstMissing, needsGpus, needsProgram, type Missing } from '../helpers/require.js';
import { run } from '../helpers/run-cli.js';

const nvcc = ['/usr/local/cuda/bin/nvcc', '/usr/bin/nvcc'].find((path) => existsSync(path));
const needsNvcc: Missing = nvcc === undefined ? 'needs nvcc (CUDA toolkit)' : false;

async function ptxOf(kernel: string): Promise<string> {
  const out = join(await mkdtemp(join(tmpdir(), 'railrunner-ptx-')), `${kernel}.ptx`);
  const native = join(projectRoot, 'native');
  const source = join(native, 'moe/cuda', `${kernel}.cu`);
  const ended = await run(
    nvcc ?? 'nvcc',
    ['-ptx', '-std=c++20', '-arch=compute_90', `-I${native}`, '-o', out, source],
    {
      timeoutMs: 250_000,
    },
  );
  t.equal(ended.status, 0, ended.stderr.slice(0, 2000));
  return readFile(out, 'utf8');
}

t.test(
  'flags are released and acquired at system scope in the PTX',
  { skip: needsNvcc, timeout: 600_000 },
  async (t) => {
    for (const kernel of ['dispatch', 'combine']) {
      const ptx = await ptxOf(kernel);
      t.match(ptx, /st\.release\.sys\.global\.u64/, `${kernel}: flags are stored with release`);
      t.match(ptx, /ld\.acquire\.sys\.global\.u64/, `${kernel}: flags are polled with acquire`);
      t.notMatch(
        ptx,
        /\.(release|acquire|acq_rel|relaxed)\.(gpu|cluster|cta)\.global/,
        `${kernel}: no narrower scope`,
      );
      t.match(
        ptx,
        /cp\.async\.bulk\.wait_group \t?0[\s\S]*?st\.release\.sys/,
        `${kernel}: rows are whole before a flag`,
      );
    }
  },
);

t.test(
  'the probe ends when its bytes have been written, not when they have been read',
  { skip: needsNvcc, timeout: 600_000 },
  async (t) => {
    const kernel = /\.entry [^(]*peerPiecesKernel[\s\S]*?\n\}/.exec(await ptxOf('probe_kernels'))?.[0] ?? '';
    t.match(kernel, /cp\.async\.bulk\.global\.shared::cta/, 'bulk stores');
    t.match(
      kernel,
      /cp\.async\.bulk\.wait_group \t?0;(?![\s\S]*cp\.async\.bulk\.commit)[\s\S]*ret;/,
      'the end waits',
    );
  },
);

t.test('what the probe stores where is right, without a GPU', { timeout: 600_000 }, async (t) => {
  const ended = await runSanitized(await nativeProgram('peer_pieces_test', 'address,undefined'), []);
  t.match(ended, { status: 0 }, ended.stdout + ended.stderr.slice(0, 3000));
});

const needs = { skip: firstMissing(needsNvcc, needsGpus(2)), timeout: 600_000 };

t.test('every layout, payload and phase on GPUs, a process a rank; faults are seen', needs, async (t) => {
  const ended = await run(await nativeProgram('moe_cuda_test'), [], {
    timeoutMs: 120_000,
  });
  t.match(ended, { status: 0, stdout: /^ok 11 - a silent rank$/m }, ended.stdout.slice(-3000));
});

const needsSanitizer = {
  skip: firstMissing(needsNvcc, needsGpus(2), needsProgram('compute-sanitizer', 'nvidia-cuda-toolkit')),
  timeout: 600_000,
};

t.test('compute-sanitizer finds no bad access in dispatch and combine', needsSanitizer, async (t) => {
  const program = await nativeProgram('moe_cuda_test');
  const args = ['--tool', 'memcheck', '--target-processes', 'all', '--error-exitcode', '9', program];
  const ended = await run('compute-sanitizer', args, { timeoutMs: 300_000 });
  t.match(ended, { status: 0 }, ended.stdout.slice(-3000));
});
