/** One rank of four throws or hangs, in every stage: all leave in time, the rows name it, the next point runs. */
import { join } from 'node:path';
import t from 'tap';
import { runArgs } from '../helpers/run-cli.js';
import { mpirunCli } from '../helpers/mpirun.js';
import { needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

// Each run here is bounded by its own limit.
t.setTimeout(900_000);

const RANKS = 4;
const GUILTY = 2;
/** Of the stage that hangs, and of the next point's, which a loaded machine must reach. */
const HANG_SECONDS = 5;
/** Of a stage that ends by itself: who waits for it is killed first. */
const FAR_SECONDS = 600;
const RUN_LIMIT_MS = 150_000;

for (const stage of ['prepare', 'measure', 'verify'] as const) {
  for (const action of ['throw', 'hang'] as const) {
    t.test(`a rank that ${action}s in ${stage}`, { skip: needsMpi('openmpi') }, async (t) => {
      const folder = t.testdir();
      const spec = writeSmallSpec(folder, { timeoutSeconds: action === 'hang' ? HANG_SECONDS : FAR_SECONDS });
      const fault = `rank=${GUILTY},point=0,stage=${stage},action=${action}`;
      const ended = await mpirunCli(
        { mpi: 'openmpi', ranks: RANKS, env: { RAILRUNNER_FAULT: fault }, timeoutMs: RUN_LIMIT_MS },
        runArgs(spec, folder),
      );
      t.notOk(ended.timedOut, 'nobody waited for a longer deadline than its own');
      t.equal(ended.status, action === 'hang' ? 124 : 1, ended.stderr + ended.stdout);
      const rows = readRankRows(join(folder, 'x'));
      t.equal(rows.length, RANKS, 'every rank wrote its file');
      for (const [rank, own] of rows.entries()) {
        const first = own.filter((row) => row['point'] === '0');
        const second = own.filter((row) => row['point'] === '1');
        t.ok(first.length > 0 && second.length > 0, `rank ${rank} has rows of both points`);
        t.match(second[0], { status: 'ok', wrong: '0' }, `rank ${rank} ran the next point`);
        for (const row of first) {
          if (action === 'hang') {
            const named = {
              status: 'timeout',
              error_code: 'E_TIMEOUT',
              hung_rank: String(GUILTY),
              hung_stage: stage,
            };
            t.match(row, named, `rank ${rank} names the hung rank`);
          } else {
            const code = rank === GUILTY ? 'E_JOB' : 'E_PEER_FAILED';
            t.match(row, { status: 'failed', error_code: code }, `rank ${rank} failed`);
            t.match(
              row['error'],
              rank === GUILTY ? /fault injected/ : new RegExp(`rank ${GUILTY} failed ${stage}`),
            );
          }
          t.equal(row['t_p50_us'], '', 'a failed point has no times');
        }
      }
      t.match(readManifest(join(folder, 'x')), { outcome: action === 'hang' ? 'timeout' : 'failed' });
    });
  }
}
