/** Record, configuration, errors and ends of the NCCL room, against a library that stands in for NCCL. */
import { dirname, join } from 'node:path';
import t from 'tap';
import { nativeProgram, runSanitized } from '../helpers/native-program.js';

t.test('records, configurations, every error, dead ranks, with ranks as threads', async (t) => {
  const program = await nativeProgram('collective_test', 'address,undefined');
  const ended = await runSanitized(program, [join(dirname(program), 'libstand_in_nccl.so')]);
  t.match(ended, { status: 0, stdout: /failures: 0/ }, ended.stderr.slice(0, 3000));
});
