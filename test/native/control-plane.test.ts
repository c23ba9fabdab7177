/** Messages and heartbeats of the control plane in worlds of up to thousands of ranks, over a simulated MPI. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

t.setTimeout(600_000);

t.test('contents, numbers of messages, hostile bytes and the tree of heartbeats', async (t) => {
  const ended = await run(await nativeProgram('control_plane_test'), []);
  t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(-3000));
});
