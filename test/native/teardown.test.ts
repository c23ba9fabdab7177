/** What is left of points that fail, and what waits say of links that are lost: ranks as processes, without MPI. */
import { networkInterfaces } from 'node:os';
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

t.setTimeout(3_600_000);

/** As the runner sets it before anything loads: UCX's memory hooks off. */
const env = { UCX_MEM_EVENTS: 'no', UCX_HANDLE_ERRORS: 'none', UCX_ERROR_SIGNALS: '' };

/** Failing opens of a case. What one of them leaves behind is seen after 20; a thousand show what only some leave. */
const OPENINGS = process.env['RAILRUNNER_TEST_OPENINGS'] ?? '100';
const LIMIT_SECONDS = OPENINGS === '100' ? '3' : '300'; // of a case, then it ends with fewer, 20 at least

const NEEDS_TWO_DEVICES = 'a-network-that-two-ranks-cannot-connect';
const hasTwoDevices = Object.values(networkInterfaces())
  .flat()
  .some((one) => one !== undefined && !one.internal && one.family === 'IPv4');

const leaks = await nativeProgram('leak_test');
const failures = (await run(leaks, [])).stdout.trim().split('\n');
t.ok(failures.length >= 9, `${failures.length} cases`);
for (const name of failures) {
  const skip =
    name === NEEDS_TWO_DEVICES && !hasTwoDevices && 'needs a network device other than the loopback';
  t.test(`no memfd, socket, thread, descriptor or memory is left by ${name}`, { skip }, async (t) => {
    const { status, stderr } = await run(leaks, [name, OPENINGS, LIMIT_SECONDS], { env, timeoutMs: 400_000 });
    t.equal(status, 0, stderr);
  });
}

const links = await nativeProgram('lost_link_test');
const waits = (await run(links, [])).stdout.trim().split('\n');
t.ok(waits.length >= 2, `${waits.length} cases`);
for (const name of waits) {
  t.test(`a lost link is named by the wait for ${name}`, async (t) => {
    const { status, stderr } = await run(links, [name], { env, timeoutMs: 200_000 });
    t.equal(status, 0, stderr);
  });
}
