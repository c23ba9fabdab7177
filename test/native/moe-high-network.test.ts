/** High throughput between two nodes of two ranks, over a network whose completions come in any order. */
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { run, type Finished } from '../helpers/run-cli.js';

/** As the runner sets it before anything loads: UCX's memory hooks off. */
const env = { UCX_MEM_EVENTS: 'no', UCX_HANDLE_ERRORS: 'none', UCX_ERROR_SIGNALS: '' };
const program = await nativeProgram('moe_high_network_test');
const ranks = (...words: string[]): Promise<Finished> => run(program, words, { env, timeoutMs: 200_000 });

for (const paths of ['hybrid', 'forward']) {
  t.test(
    `${paths}: exact while counts change, although records are applied in a shuffled order`,
    async (t) => {
      const { status, stderr, stdout } = await ranks(paths);
      t.equal(status, 0, stdout + stderr.slice(0, 3000));
      t.match(stdout, /sparse: 0 of 4[^]*allGather: 0 of 4/);
    },
  );
}

t.test('a word that is published before its payloads are whole is caught', async (t) => {
  const { status, stdout, stderr } = await ranks('forward', 'planted');
  t.equal(status, 1, stdout);
  t.match(stdout, /sparse: [1-4] of 4[^]*allGather: [1-4] of 4/);
  t.match(stderr, /published too early|payload differs|combined wrongly|expected/);
});

t.test('what one node sends wrongly, or has no room for, is refused by name on both', async (t) => {
  const refusals = await nativeProgram('moe_high_refusals_test');
  const { status, stdout, stderr } = await run(refusals, [], { env, timeoutMs: 200_000 });
  t.equal(status, 0, stdout + stderr.slice(0, 3000));
  for (const what of ['room', 'handles', 'too many tokens', 'too many rows', 'ids beyond the experts']) {
    for (const paths of ['forwarded', 'to each rank']) {
      t.match(stdout, `${what}, ${paths}: 0 of 4 ranks failed`);
    }
  }
});

for (const paths of ['hybrid', 'forward']) {
  t.test(`${paths}: 20 equal calls leave equal bits`, async (t) => {
    const { status, stdout, stderr } = await ranks(paths, 'equal');
    t.equal(status, 0, stdout + stderr.slice(0, 3000));
  });
}

const calls = process.env['RAILRUNNER_TEST_CALLS'];
const needsCalls = calls === undefined && 'needs RAILRUNNER_TEST_CALLS, 10000 say (a minute)';

for (const paths of ['hybrid', 'forward']) {
  t.test(`${paths}: exact through many calls`, { skip: needsCalls, timeout: 3_600_000 }, async (t) => {
    const long = { env, timeoutMs: 3_600_000 };
    const { status, stdout, stderr } = await run(program, [paths, 'calls', String(calls)], long);
    t.equal(status, 0, stdout + stderr.slice(0, 3000));
    t.match(stdout, /sparse: 0 of 4[^]*allGather: 0 of 4/);
  });
}

t.test(
  'links that are cut in the middle end the calls of every rank, which names whom it misses',
  async (t) => {
    const { status, stdout, stderr } = await ranks('hybrid', 'cut');
    t.equal(status, 0, stdout + stderr.slice(0, 3000));
    t.match(stdout, /^rank [01]: network: rank [01] lost its connection to rank 3/m);
  },
);
