import t from 'tap';
import { nativeProgram, runSanitized } from '../helpers/native-program.js';

for (const sanitizer of ['address,undefined', 'thread'] as const) {
  t.test(`parts of the network, under the ${sanitizer} sanitizer`, async (t) => {
    const program = await nativeProgram('network_units_test', sanitizer);
    const cases = (await runSanitized(program, [])).stdout.trim().split('\n');
    t.ok(cases.length >= 8, `${cases.length} cases`);
    for (const name of cases) {
      const { status, stderr } = await runSanitized(program, [name]);
      t.equal(status, 0, `${name} ${stderr}`);
    }
  });
}
