import t from 'tap';
import { nativeProgram, runSanitized } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

// A first build of the programs, on a machine that is busy, takes more than tap's 30 s.
t.setTimeout(900_000);

const PROGRAMS = {
  transfer_units_test: 'registered storage, the registry of layouts, the table of strategies',
  transfer_moves_test:
    'plans between layouts of other heads, pages, orders and kinds; planted faults are found',
};

for (const [program, what] of Object.entries(PROGRAMS)) {
  t.test(what, async (t) => {
    const ended = await run(await nativeProgram(program), []);
    t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(-3000));
    t.match(ended.stdout, /^ok 1 - /m, 'it ran its cases');
  });
}

t.test('reads and writes between processes, over mapped memory and over the network', async (t) => {
  const program = await nativeProgram('transfer_ranks_test');
  const cases = (await run(program, [])).stdout.trim().split('\n');
  t.ok(cases.length >= 5, `${cases.length} cases`);
  for (const name of cases) {
    const { status, stdout, stderr } = await run(program, [name], { timeoutMs: 400_000 });
    t.equal(status, 0, `${name}: ${`${stdout}${stderr}`.slice(-3000)}`);
  }
});

// Of each of the two kinds of blob. Half of them are signed again, so that they reach what lies behind the checksum.
const MUTATIONS = process.env['RAILRUNNER_TEST_BLOBS'] ?? '5000';

t.test('metadata blobs, whole and mutated, under AddressSanitizer and UBSan', async (t) => {
  const program = await nativeProgram('transfer_metadata_test', 'address,undefined');
  const ended = await runSanitized(program, [MUTATIONS], { timeoutMs: 850_000 });
  t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(-3000));
  t.equal(ended.stderr, '', 'no sanitizer said anything');
  t.match(ended.stdout, /^# \d+ mutations, [1-9]\d* of them signed and valid/m);
});
