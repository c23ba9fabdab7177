/** What is read of GPUs: from a library that stands in for the driver's, and through the addon from this machine. */
import { dirname, join } from 'node:path';
import t from 'tap';
import { addon } from '../../runner/native/binding.js';
import { nativeProgram, runSanitized } from '../helpers/native-program.js';

t.test('values, what is not known, and why nothing is', async (t) => {
  const program = await nativeProgram('management_test', 'address,undefined');
  const env = { LD_LIBRARY_PATH: join(dirname(program), 'stand-in') };
  t.match(await runSanitized(program, [], { env }), { status: 0, stdout: 'ok\n', stderr: '' });
});

t.test('the addon describes the GPUs that it would use, and none is a report too', async (t) => {
  const report = await addon().describeGpus();
  const { cudaDevices } = addon().probeDevices();
  if (addon().buildInfo().cuda === null) {
    t.equal(report, null);
    return;
  }
  t.equal(report?.gpus.length, cudaDevices);
  for (const [ordinal, gpu] of (report?.gpus ?? []).entries()) {
    t.match(gpu, {
      ordinal,
      uuid: /^GPU-[0-9a-f-]{36}$/,
      pciBusId: /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.0$/,
    });
    t.equal(gpu.peerAccess.length, cudaDevices);
  }
  t.ok(report?.reason === '' || /libnvidia-ml/.test(report?.reason ?? ''));
});
