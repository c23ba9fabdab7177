/** Strategy `ipc` between processes, without MPI: every source, chains of other lengths, blocks that change, a load that fails, a killed relay. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

// A first build of the program, on a machine that is busy, takes more than tap's 30 s.
t.setTimeout(900_000);

t.test('ipc on the host device', async (t) => {
  const program = await nativeProgram('replicated_test');
  const cases = (await run(program, [])).stdout.trim().split('\n');
  t.equal(cases.length, 8);
  for (const name of cases) {
    const { status, stdout, stderr } = await run(program, [name], { timeoutMs: 300_000 });
    t.equal(status, 0, `${name}: ${`${stdout}${stderr}`.slice(-3000)}`);
  }
});
