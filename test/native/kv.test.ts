import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

// A first build of the programs, on a machine that is busy, takes more than tap's 30 s.
t.setTimeout(600_000);

const PROGRAMS = {
  kv_layout_test: 'layouts and plans: golden addresses, padding, joined runs, overflow',
  kv_transfer_test:
    'every pair, strategy, order and layer range moves the right words; illegal ids are refused',
  kv_pages_test: 'pages and heads: shards of one model, page sizes, owners, planted damage',
  kv_groups_test: 'blocks of several groups of layers: addresses, transfers, layer ranges, planted damage',
  kv_verify_test: 'verification finds each kind of planted damage, on host and disk',
  lost_device_test: 'pools of a GPU whose context is lost are given up in order',
  kv_disk_test: 'io_uring and threads; a disk that fails in the middle',
};

for (const [program, what] of Object.entries(PROGRAMS)) {
  t.test(what, async (t) => {
    const ended = await run(await nativeProgram(program), []);
    t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(-3000));
    t.match(ended.stdout, /^ok 1 - /m, 'it ran its cases');
  });
}
