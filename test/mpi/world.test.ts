import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { WorldInfo } from '../../runner/native/types/index.js';
import { projectRoot } from '../../runner/project.js';
import { mpirun, MPIS, type MpirunOptions } from '../helpers/mpirun.js';
import { firstMissing, needsMpi, needsSlurm } from '../helpers/require.js';
import { run } from '../helpers/run-cli.js';
import { withSlurm } from '../testbed/slurm.js';

const rankProgram = join(projectRoot, 'dist', 'test', 'mpi', 'world-rank.js');

function scenario(name: string, options: object = {}): string[] {
  return [process.execPath, rankProgram, name, JSON.stringify(options)];
}

function linesOf(stdout: string): unknown[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{') || line.startsWith('['))
    .map((line) => JSON.parse(line) as unknown);
}

/** What the ranks said in files of their own, in the files' order. */
function saidIn(folder: string): unknown[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => linesOf(readFileSync(join(folder, name), 'utf8')));
}

interface Collected {
  readonly info: WorldInfo;
  readonly wrong: readonly string[];
}

async function collect(t: Test, options: MpirunOptions, ranksPerNode: number): Promise<Collected[]> {
  const ended = await mpirun(options, scenario('collectives', { ranksPerNode }));
  t.equal(ended.status, 0, `${options.mpi}, ${options.ranks} ranks: ${ended.stderr}`);
  const [all] = linesOf(ended.stdout) as [Collected[]];
  t.equal(all.length, options.ranks);
  t.same(
    all.flatMap(({ wrong }) => wrong),
    [],
    'contents of every collective',
  );
  return all;
}

for (const mpi of MPIS) {
  const skip = needsMpi(mpi);

  t.test(`${mpi}: worlds of 1, 2, 4 and 8 ranks, and no launcher`, { skip }, async (t) => {
    for (const ranks of [1, 2, 4, 8]) {
      const all = await collect(t, { mpi, ranks }, 0);
      t.same(
        all.map(({ info }) => [info.rank, info.worldSize, info.node, info.localRank, info.mpiName]),
        all.map((_, rank) => [rank, ranks, 0, rank, mpi]),
      );
    }
    const alone = await run(process.execPath, scenario('collectives', { mpi }).slice(1));
    t.match(alone, { status: 0, stdout: /"worldSize":1,/ }, alone.stderr);
  });

  t.test(`${mpi}: ranksPerNode cuts the host into nodes`, { skip }, async (t) => {
    const all = await collect(t, { mpi, ranks: 4 }, 2);
    t.same(
      all.map(({ info }) => [info.node, info.numNodes, info.localRank, info.localSize, info.hostRank]),
      [
        [0, 2, 0, 2, 0],
        [0, 2, 1, 2, 1],
        [1, 2, 0, 2, 2],
        [1, 2, 1, 2, 3],
      ],
    );
  });

  t.test(`${mpi}: a failed step is known to all ranks, and the next one goes on`, { skip }, async (t) => {
    const sayIn = t.testdir();
    const ended = await mpirun({ mpi, ranks: 3 }, scenario('failures', { sayIn }));
    t.equal(ended.status, 0, ended.stderr);
    const agreed = { code: 'E_IO', message: 'rank 1: disk is full', after: null };
    t.same(
      saidIn(sayIn),
      [0, 1, 2].map((rank) => ({ rank, ...agreed })),
    );
  });

  t.test(`${mpi}: a rank that does not come is named with its stage`, { skip }, async (t) => {
    const ended = await mpirun({ mpi, ranks: 4 }, scenario('absence'));
    t.not(ended.status, 0);
    const [said] = linesOf(ended.stdout);
    t.match(said, {
      code: 'E_STUCK',
      message: /not all ranks came within 1\.5 s: rank 2 is in measure, point 4/,
      missing: [{ rank: 2, stage: 'measure', point: 4 }],
      later: 'E_WORLD_LOST',
    });
    t.equal((said as { missing: unknown[] }).missing.length, 1);
  });

  t.test(`${mpi}: all ranks open the same kind of device`, { skip }, async (t) => {
    const ended = await mpirun({ mpi, ranks: 2 }, scenario('device'));
    t.match(ended, { status: 0, stdout: /^\["(host|cuda)","\1"\]\n$/ }, ended.stderr);
  });

  t.test(`${mpi}: Node keeps its signals`, { skip }, async (t) => {
    t.match(await mpirun({ mpi, ranks: 1 }, scenario('signal')), {
      status: 0,
      stdout: '{"heard":true,"isSame":true}\n',
    });
  });

  t.test(`${mpi}: heartbeats outlive a hung main thread`, { skip }, async (t) => {
    const env = { RAILRUNNER_PEER_TIMEOUT_SECONDS: '3' };
    const ended = await mpirun({ mpi, ranks: 2, env }, scenario('hungMainThread'));
    t.equal(ended.status, 0, ended.stdout + ended.stderr);
    const [said] = linesOf(ended.stdout) as [{ ageMs: number }];
    t.match(said, { rank: 1, stage: 'stuck', point: 7 });
    t.ok(said.ageMs < 3000, `hung for 4 s, heard ${said.ageMs} ms ago`);
  });

  t.test(`${mpi}: a killed rank is named by those that live on`, { skip }, async (t) => {
    const sayIn = t.testdir();
    const env = { RAILRUNNER_PEER_TIMEOUT_SECONDS: '3', SAY_IN: sayIn };
    // Both launchers end all ranks at once when they see one die, or leave without MPI_Finalize as the others do here: this
    // shell hides every end until those that live have spoken.
    const hide =
      'for i in $(seq 600); do [ -s "$SAY_IN/rank-0" ] && [ -s "$SAY_IN/rank-2" ] && break; sleep 0.1; done';
    const shell = ['sh', '-c', `"$@"; ${hide}; exit 0`, 'sh'];
    const ended = await mpirun({ mpi, ranks: 3, env }, [...shell, ...scenario('death', { sayIn })]);
    const said = saidIn(sayIn) as { rank: number; code: string; message: string }[];
    t.same(
      said.map(({ rank }) => rank),
      [0, 2],
      ended.stderr,
    );
    for (const { code, message } of said) {
      t.equal(code, 'E_PEER_DEAD');
      t.match(message, /^rank 1 ended or stopped answering/);
    }
  });
}

t.test(
  'N worlds of size 1 are refused',
  { skip: firstMissing(needsMpi('openmpi'), needsMpi('mpich')) },
  async (t) => {
    const other = { openmpi: 'mpich', mpich: 'openmpi' } as const;
    for (const launcher of MPIS) {
      const mpi = other[launcher];
      const sayIn = t.testdir();
      const ended = await mpirun({ mpi: launcher, ranks: 2 }, scenario('collectives', { mpi, sayIn }));
      t.equal(ended.status, 3, `${mpi} under ${launcher}: ${ended.stderr}`);
      const said = saidIn(sayIn) as { code: string; message: string }[];
      // The launcher ends the other process when the first leaves, perhaps before it has spoken.
      t.ok(said.length === 1 || said.length === 2, `${said.length} spoke`);
      for (const { code } of said) t.equal(code, 'E_LAUNCHER_MISMATCH');
      t.match(said[0]?.message, /started 2 processes, but MPI \(\w+\) sees a world of 1.*start it with/);
    }
  },
);

t.test('srun: pmix, pmi2, and none', { skip: firstMissing(needsSlurm(), needsMpi('openmpi')) }, async (t) => {
  await withSlurm(2, 2, async (slurm) => {
    for (const [type, mpi] of [
      ['pmix', 'openmpi'],
      ['pmi2', 'mpich'],
    ] as const) {
      const ended = await slurm.run(['srun', '-N2', '-n4', `--mpi=${type}`, ...scenario('collectives')]);
      t.equal(ended.status, 0, ended.stderr);
      const [all] = linesOf(ended.stdout) as [Collected[]];
      t.same(
        all.map(({ info, wrong }) => [info.node, info.localRank, info.hostname, info.mpiName, wrong.length]),
        [
          [0, 0, 'h0', mpi, 0],
          [0, 1, 'h0', mpi, 0],
          [1, 0, 'h1', mpi, 0],
          [1, 1, 'h1', mpi, 0],
        ],
      );
    }
    const none = await slurm.run([
      'srun',
      '-N2',
      '-n4',
      '--mpi=none',
      ...scenario('collectives', { mpi: 'mpich' }),
    ]);
    t.not(none.status, 0, none.stderr); // srun reports the TERM that it sends the others, not the first failure
    t.match(none.stdout, /E_LAUNCHER_MISMATCH.*srun without an MPI plug-in started 4 processes/);
  });
});
