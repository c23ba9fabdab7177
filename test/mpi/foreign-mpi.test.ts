/** An MPI that misbehaves: a call that never returns, and errors where a peer is gone. A library stands in for it. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { copyWithout } from '../helpers/incomplete-copy.js';
import { mpirun } from '../helpers/mpirun.js';
import { nativeProgram } from '../helpers/native-program.js';
import { twoPoints, writeReplicatedSpec } from '../helpers/replicated-spec.js';
import { needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { runArgs, type Finished } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

t.setTimeout(600_000);

const skip = needsMpi('openmpi');
const PLUGIN = 'railrunner_mpi_openmpi.so';
const NUM_POINTS = 60;

/** Runs `spec` with the stand-in in place of Open MPI's plug-in, which it hands everything on to. */
async function runWithStandIn(
  folder: string,
  spec: string,
  misbehaves: Readonly<Record<string, string>>,
): Promise<Finished> {
  await nativeProgram('stand_in_mpi');
  const release = join(projectRoot, 'build', 'Release');
  const command = copyWithout(join(folder, 'copy'), ['railrunner.node']);
  cpSync(join(release, 'stand_in_mpi.so'), join(folder, 'copy', 'build', 'Release', PLUGIN));
  const env = { RAILRUNNER_TEST_PLUGIN: join(release, PLUGIN), ...misbehaves };
  return await mpirun({ mpi: 'openmpi', ranks: 2, env, timeoutMs: 150_000 }, [
    process.execPath,
    command,
    ...runArgs(spec, folder),
  ]);
}

t.test('an MPI call that never returns on any rank ends the run by name', { skip }, async (t) => {
  const folder = t.testdir();
  const spec = writeSmallSpec(folder, { numPoints: NUM_POINTS, timeoutSeconds: 2 });
  const ended = await runWithStandIn(folder, spec, {
    RAILRUNNER_TEST_MPI: 'block',
    RAILRUNNER_TEST_RANK: 'all',
    // From the first point's summary on. The second point then waits in its own stage, whose deadline is short; without the
    // hang the call could be the gather of a point's rows, which has a minute.
    RAILRUNNER_TEST_WHEN: join(folder, 'x', 'summary.csv'),
    RAILRUNNER_FAULT: 'rank=1,point=1,stage=measure,action=hang',
  });
  t.notOk(ended.timedOut, 'it ends');
  t.not(ended.status, 0);
  const rows = readRankRows(join(folder, 'x'));
  // The rank whose deadline comes first speaks in its rows; where that is not rank 0, the launcher may end rank 0 before its
  // own deadline: then it says that much.
  t.match(ended.stderr, /railrunner: E_[A-Z_]+: the run ended early: /);
  const said = [ended.stderr, ...rows.flat().map((row) => row['error'] ?? '')].join('\n');
  t.match(said, /rank \d has been inside a call of MPI/);
  t.equal(rows.length, 2);
  for (const [rank, own] of rows.entries()) {
    t.equal(new Set(own.map((row) => row['params'])).size, NUM_POINTS, `rank ${rank}: a row for every point`);
    t.equal(own.at(-1)?.['status'], 'aborted');
  }
  t.equal(readManifest(join(folder, 'x'))?.outcome, 'aborted');
});

t.test(
  'an MPI error in an exchange of the worker threads ends the run, not the process',
  { skip },
  async (t) => {
    const folder = t.testdir();
    const spec = writeReplicatedSpec(folder, twoPoints('pipelined'));
    const ended = await runWithStandIn(folder, spec, {
      RAILRUNNER_TEST_MPI: 'fail',
      RAILRUNNER_TEST_RANK: '1',
    });
    t.notOk(ended.timedOut, 'it ends');
    t.not(ended.status, 0);
    t.notMatch(ended.stderr, /terminate called|signal 6/);
    const [, own = []] = readRankRows(join(folder, 'x'));
    t.match(
      own.map((row) => row['error']).join('\n'),
      /MPI failed in MPI_Issend/,
      'rank 1 says which call of MPI failed',
    );
    t.equal(readManifest(join(folder, 'x'))?.outcome, 'aborted');
  },
);
