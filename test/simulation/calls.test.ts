/**
 * The C++ simulator (native/test/simulation) proves what lies below the engine with a model of it in C++. This holds that
 * model to the engine: both ask the same of the world, call by call, whatever happens in a point.
 */
// small worlds: no process is started but the simulators' own
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';
import { PROGRAM } from './program.js';

t.setTimeout(600_000);

const TROUBLES = ['none', 'fails', 'hangs', 'sticks'] as const;

const calls = (text: string): string[] => text.split('\n').filter((line) => /^rank \d+: /.test(line));

const native = await nativeProgram('simulation_test');
const options = TROUBLES.flatMap((trouble) => ['--calls', trouble]);
const engine = await run(process.execPath, [PROGRAM, ...options]);

for (const trouble of TROUBLES) {
  t.test(`trouble "${trouble}": the C++ model of the engine asks the same of the world`, async (t) => {
    t.equal(engine.status, 0, engine.stdout);
    const model = await run(native, ['--calls', trouble]);
    t.equal(model.status, 0, model.stdout);
    const [, part = ''] = engine.stdout.split(`calls with trouble ${trouble}:\n`);
    const expected = calls(part.split(/^calls with/m)[0] ?? '');
    t.ok(expected.includes('rank 0: gather'));
    t.same(calls(model.stdout), expected);
  });
}
