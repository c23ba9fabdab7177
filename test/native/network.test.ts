import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

/** As the runner sets it before anything loads: UCX's memory hooks off. */
const env = { UCX_MEM_EVENTS: 'no', UCX_HANDLE_ERRORS: 'none', UCX_ERROR_SIGNALS: '' };

const program = await nativeProgram('network_test');
const cases = (await run(program, [])).stdout.trim().split('\n');

t.ok(cases.length >= 12, `${cases.length} cases`);
for (const name of cases) {
  t.test(`the network between ranks: ${name}`, async (t) => {
    const { status, stderr } = await run(program, [name], { env });
    t.equal(status, 0, stderr);
  });
}

t.test('messages on both sides of the size from which UCX would send by rendezvous', async (t) => {
  const { status, stderr } = await run(await nativeProgram('network_rendezvous_test'), [], { env });
  t.equal(status, 0, stderr);
});
