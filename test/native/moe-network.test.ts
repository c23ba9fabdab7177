/** Dispatch and combine over a network whose completions come in any order. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

/** As the runner sets it before anything loads: UCX's memory hooks off. */
const env = { UCX_MEM_EVENTS: 'no', UCX_HANDLE_ERRORS: 'none', UCX_ERROR_SIGNALS: '' };
const program = await nativeProgram('moe_network_test');

for (const transport of ['hybrid', 'network'] as const) {
  t.test(`${transport}: exact to the bit although records are applied in a shuffled order`, async (t) => {
    const { status, stderr, stdout } = await run(program, [transport], { env, timeoutMs: 120_000 });
    t.equal(status, 0, stdout + stderr.slice(0, 3000));
    t.match(stdout, /dedup on: 0 of 4[^]*dedup off: 0 of 4/);
  });
}

t.test('forwarded once per node: exact to the bit in a shuffled order', async (t) => {
  const { status, stderr, stdout } = await run(program, ['forward'], { env, timeoutMs: 120_000 });
  t.equal(status, 0, stdout + stderr.slice(0, 3000));
  t.match(stdout, /dedup on: 0 of 4/);
});

t.test('a signal that is published before its payloads are whole is caught', async (t) => {
  const { status, stdout, stderr } = await run(program, ['hybrid', 'planted'], { env, timeoutMs: 120_000 });
  t.equal(status, 1, stdout);
  t.match(stdout, /dedup on: [1-4] of 4[^]*dedup off: [1-4] of 4/, 'with and without dedup');
  t.match(stderr, /published too early|payload differs|combined wrongly|expected/);
});
