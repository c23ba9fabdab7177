/** Record, configuration, errors and ends of the NCCL module, against a library that stands in for NCCL. */
import { dirname, join } from 'node:path';
import t from 'tap';
import { nativeProgram, runSanitized } from '../helpers/native-program.js';

t.test('records, configurations, every error, dead ranks, with ranks as threads', async (t) => {
  const program = await nativeProgram('collective_test', 'address,undefined');
  const folder = dirname(program);
  const env = { LD_LIBRARY_PATH: folder }; // for the case that finds it by its name
  const ended = await runSanitized(program, [join(folder, 'libstand_in_nccl.so')], { env });
  t.match(ended, { status: 0, stdout: /failures: 0/ }, ended.stderr.slice(0, 3000));
});
