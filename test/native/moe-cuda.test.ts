/** Dispatch and combine on GPUs, as far as it shows without one: memory order in what is compiled, what the probe stores. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { nativeProgram, runSanitized } from '../helpers/native-program.js';
import type { Missing } from '../helpers/require.js';
import { run } from '../helpers/run-cli.js';

const nvcc = ['/usr/local/cuda/bin/nvcc', '/usr/bin/nvcc'].find((path) => existsSync(path));
const needsNvcc: Missing = nvcc === undefined ? 'needs nvcc (CUDA toolkit)' : false;

async function ptxOf(kernel: string): Promise<string> {
  const out = join(await mkdtemp(join(tmpdir(), 'railrunner-ptx-')), 'kernel.ptx');
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
      const ptx = await ptxOf(`low_latency/${kernel}`);
      t.match(ptx, /st\.release\.sys\.global\.u64/, `${kernel}: flags are stored with release`);
      t.match(ptx, /ld\.acquire\.sys\.global\.u64/, `${kernel}: flags are polled with acquire`);
      t.notMatch(
        ptx,
        /\.(release|acquire|acq_rel|relaxed)\.(gpu|cluster|cta)\.global/,
        `${kernel}: no narrower scope`,
      );
      t.notMatch(ptx, /\b(atom|red)\.(\w+\.)*sys\b/, `${kernel}: no atomic that a host would have to share`);
      t.notMatch(
        ptx,
        /\.entry [^(]*(dispatch|combine)Kernel(?:(?!griddepcontrol\.wait)[\s\S])*?ld\.global/,
        `${kernel}: the kernel before it is over when memory is first read`,
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
