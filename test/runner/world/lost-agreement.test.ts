/** What is said where ranks do not come to an agreement: who is missing, where, and since when. No MPI. */
import { spawnSync } from 'node:child_process';
import { openSync, readFileSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { RunnerError } from '../../../runner/errors.js';
import type { NativeWorld, RankLiveness } from '../../../runner/native/types/index.js';
import { AgreementLost, exchange, stageOf } from '../../../runner/world/agreement.js';
import { projectRoot } from '../../../runner/project.js';
import { buildDigests } from '../../../runner/world/build-digest.js';
import { MpiStuck, watchControlThread } from '../../../runner/world/watch.js';
import type { World } from '../../../runner/world/world.js';

const heard = (rank: number, stage: string, more: Partial<RankLiveness> = {}): RankLiveness => ({
  rank,
  stage,
  point: 2,
  iteration: -1,
  awaitedPeer: -1,
  ageMs: 1500,
  ...more,
});

/** Rank 0 of a world whose next exchange fails. */
function failingWorld(failure: Error, liveness: readonly RankLiveness[], deadRank = -1): World {
  return {
    info: { rank: 0 },
    native: { report: () => {}, liveness: () => liveness, deadRank: () => deadRank },
    allgatherJson: () => Promise.reject(failure),
  } as unknown as World;
}

async function lostIn(t: Test, world: World): Promise<AgreementLost> {
  const options = { timeoutMs: 30_000, stage: 'prepare', point: 2 };
  const lost = await exchange(world, 'opening pools', 1, options).catch((error: unknown) => error);
  t.ok(lost instanceof AgreementLost);
  return lost as AgreementLost;
}

const late = new RunnerError('E_TIMEOUT', 'the deadline passed');

t.test('a rank that does not come by the deadline is named with its place', async (t) => {
  const world = failingWorld(late, [
    heard(0, 'prepare (waits)'),
    heard(1, 'measure', { point: 1, iteration: 7, awaitedPeer: 3 }),
    heard(2, 'prepare (waits)'),
    heard(3, '', { point: -1 }),
  ]);
  t.match(await lostIn(t, world), {
    code: 'E_STUCK',
    hungRank: 1,
    hungStage: 'measure',
    message:
      'agreement on "opening pools": not all ranks came within 30.0 s: rank 1 is in measure, point 1, iteration 7, ' +
      'waiting for rank 3, last heard of 1.5 s ago; rank 3 is in an unknown stage, last heard of 1.5 s ago',
  });
});

t.test('a rank that hears only rank 0 says who knows more', async (t) => {
  const lost = await lostIn(t, failingWorld(late, []));
  t.match(lost, { code: 'E_STUCK', message: /within 30\.0 s: rank 0 names those that are missing$/ });
  t.equal(lost.hungRank, undefined);
});

t.test('of a dead rank only that is said, not of those that miss the agreement because of it', async (t) => {
  const world = failingWorld(
    new RunnerError('E_WORLD_LOST', 'the world is lost.'),
    [heard(1, 'measure'), heard(2, 'verify (waits)')],
    2,
  );
  const lost = await lostIn(t, world);
  t.match(lost, { code: 'E_PEER_DEAD', hungRank: 2, hungStage: 'verify' });
  t.match(lost.message, /: the world is lost: rank 2 is in verify \(waits\), point 2/);
  t.notMatch(lost.message, /rank 1/);
});

t.test('a rank whose own MPI call does not return accuses no other', async (t) => {
  const world = failingWorld(new MpiStuck(0, 'an allgather', 2), [heard(0, 'prepare'), heard(1, 'measure')]);
  const lost = await lostIn(t, world);
  t.match(lost, { code: 'E_STUCK', hungRank: 0, hungStage: 'prepare' });
  t.match(lost.message, /rank 0 has been inside a call of MPI since an allgather was asked for/);
});

t.test('the stage of a rank is its last heard one, without the mark of waiting', async (t) => {
  const world = failingWorld(late, [heard(1, 'measure (waits)')]);
  t.same([stageOf(world, 1), stageOf(world, 5)], ['measure', '']);
});

t.test('a call of MPI that never returns ends by a clock outside of it', async (t) => {
  const endless = (): Promise<never> => new Promise(() => {});
  const answered = (): Promise<string> => Promise.resolve('done');
  const calls = {
    broadcast: endless,
    allgather: endless,
    gather: endless,
    alltoall: endless,
    renew: answered,
  };
  const native = { info: { rank: 4 }, ...calls, barrier: endless } as unknown as NativeWorld;
  watchControlThread(native);
  t.equal(await native.renew(10), 'done', 'what answers is left alone');
  await t.rejects(native.barrier(-5000), {
    code: 'E_STUCK',
    message: /^rank 4 has been .* a barrier was asked for/,
  });
});

t.test('hydra is told that the job is over; other launchers see the exit status', async (t) => {
  const path = join(t.testdir(), 'pmi');
  const script = `(await import('${pathToFileURL(projectRoot).href}/dist/runner/world/abort-launch.js')).abortLaunch(3)`;
  const tell = (env: Record<string, string>): string => {
    const descriptor = openSync(path, 'w');
    const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      env,
      stdio: ['ignore', 'ignore', 'ignore', descriptor],
    });
    closeSync(descriptor);
    t.equal(status, 0);
    return readFileSync(path, 'utf8');
  };
  t.equal(tell({ PMI_FD: '3', HYDI_CONTROL_FD: '9' }), 'cmd=abort exitcode=3\n');
  t.equal(tell({ PMI_FD: '3' }), '', 'PMI of another launcher');
  t.equal(tell({ PMI_FD: 'none', HYDI_CONTROL_FD: '9' }), '');
  t.equal(tell({ PMI_FD: '77', HYDI_CONTROL_FD: '9' }), '', 'a launcher that is gone is no error');
});

t.test('a library that is replaced while a run starts differs from that of the others', async (t) => {
  const library = join(t.testdir({ 'one.node': 'bytes' }), 'one.node');
  const gone = join(t.testdirName, 'two.node');
  const digests = buildDigests([library, gone], join(t.testdirName, 'nowhere'));
  t.match(digests, {
    'dist/': 'unreadable (ENOENT)',
    'one.node': /^[0-9a-f]{12}$/,
    'two.node': 'unreadable (ENOENT)',
  });
});
