/** What memory a process can still take: control groups of both kinds, NUMA nodes; by files and by this kernel. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run } from '../helpers/run-cli.js';

t.setTimeout(600_000);

t.test('limits of all groups above the process, without page cache; a full NUMA node', async (t) => {
  const ended = await run(await nativeProgram('memory_limit_test'), []);
  t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(-3000));
  for (const [skipped] of ended.stdout.matchAll(/^# SKIP .*$/gm)) t.comment(skipped);
});

t.test('memory of one process only: huge pages, all of it at once, never shared', async (t) => {
  const ended = await run(await nativeProgram('private_memory_test'), []);
  t.equal(ended.status, 0, `${ended.stdout}${ended.stderr}`.slice(-3000));
  for (const [skipped] of ended.stdout.matchAll(/^# SKIP .*$/gm)) t.comment(skipped);
});
