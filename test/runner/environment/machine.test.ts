/** What this machine says of itself, and where its libraries are looked for. */
import { join } from 'node:path';
import t from 'tap';
import { readProcessFacts } from '../../../runner/environment/ancestors.js';
import { driverVersion } from '../../../runner/environment/machine.js';
import { MPIS } from '../../../runner/environment/mpis.js';
import { ncclLibrariesOf } from '../../../runner/environment/nccl.js';
import type { Environment } from '../../../runner/environment/variables.js';

t.test('the version of the GPU driver', async (t) => {
  const text =
    'NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.04  Tue Jan  7 2025\nGCC version: 12\n';
  const folder = t.testdir({ version: text, other: 'NVRM\n' });
  t.equal(driverVersion(join(folder, 'version')), '580.159.04');
  t.equal(driverVersion(join(folder, 'other')), null, 'a text of another form');
  t.equal(driverVersion(join(folder, 'none')), null, 'no driver');
});

t.test('descriptors and folders that are not there are none', async (t) => {
  const { isSocket, isFolder } = readProcessFacts();
  t.same(
    [isSocket(4095), isFolder(join(t.testdir(), 'none')), isFolder(t.testdirName)],
    [false, false, true],
  );
});

t.test('NCCL: the path that is named alone, else what the loader and Python have', async (t) => {
  const withSetting = (ncclLibrary: string) => ({ settings: { ncclLibrary } }) as unknown as Environment;
  t.same(ncclLibrariesOf(withSetting('/opt/libnccl.so'))(), ['/opt/libnccl.so']);
  const { PATH } = process.env;
  t.teardown(() => Object.assign(process.env, { PATH }));
  process.env['PATH'] = t.testdir(); // no Python there
  t.same(ncclLibrariesOf(withSetting(''))(), ['libnccl.so.2']);
});

t.test('only the superuser has to say that he may start ranks', async (t) => {
  t.ok(MPIS.openmpi.launchWords(2, true).includes('--allow-run-as-root'));
  t.notOk(MPIS.openmpi.launchWords(2, false).includes('--allow-run-as-root'));
});
