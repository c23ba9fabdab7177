import t from 'tap';
import { casesOf, nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

for (const sanitize of ['address,undefined', 'thread'] as const) {
  await t.test(`parts of the network, under the ${sanitize} sanitizer`, async (t) => {
    const program = nativeProgram('network_units_test', { sanitize });
    const cases = casesOf(program);
    t.ok(cases.length >= 8, `${cases.length} cases`);
    for (const name of cases) {
      const { status, stderr } = await run(program, [name]);
      t.equal(status, 0, `${name} ${stderr}`);
    }
  });
}
