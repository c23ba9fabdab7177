import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { disableUcxHooks, ucxVariables } from '../../../runner/environment/variables.js';
import {
  checkLauncherSize,
  choosePlugin,
  detectLauncher,
  localPlace,
} from '../../../runner/environment/launcher.js';
import type { ProcessFacts } from '../../../runner/environment/launcher-claims.js';
import { foreignVariables, withoutLaunchers } from '../../../runner/environment/launcher-variables.js';
import { rankList } from '../../../runner/text/ranges.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

t.test('the launcher is known by what it leaves in the environment', async (t) => {
  const cases: [Record<string, string>, ReturnType<typeof detectLauncher>][] = [
    [{}, { name: 'no launcher', speaks: null, size: null, rank: 0 }],
    [
      { OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: '3', PMIX_RANK: '3' },
      { name: 'mpirun of Open MPI', speaks: 'openmpi', size: 4, rank: 3 },
    ],
    [
      { PMI_RANK: '2', PMI_SIZE: '8', PMI_FD: '7' },
      { name: 'mpiexec of MPICH', speaks: 'mpich', size: 8, rank: 2 },
    ],
    [
      { PMIX_RANK: '1', SLURM_STEP_NUM_TASKS: '6', SLURM_STEP_ID: '0', SLURM_PROCID: '1' },
      { name: 'srun with PMIx', speaks: 'openmpi', size: 6, rank: 1 },
    ],
    [
      { PMI_RANK: '1', PMI_SIZE: '6', SLURM_STEP_NUM_TASKS: '6', SLURM_STEP_ID: '0', SLURM_PROCID: '1' },
      { name: 'srun with PMI2', speaks: 'mpich', size: 6, rank: 1 },
    ],
    [
      { SLURM_STEP_NUM_TASKS: '6', SLURM_STEP_ID: '0', SLURM_PROCID: '5' },
      { name: 'srun without an MPI plug-in', speaks: null, size: 6, rank: 5 },
    ],
    // mpirun's daemons are a step of their own, and their count is not the world's
    [
      {
        OMPI_COMM_WORLD_SIZE: '16',
        OMPI_COMM_WORLD_RANK: '9',
        SLURM_STEP_NUM_TASKS: '2',
        SLURM_STEP_ID: '0',
        SLURM_PROCID: '1',
      },
      { name: 'mpirun of Open MPI', speaks: 'openmpi', size: 16, rank: 9 },
    ],
    // a shell inside an allocation
    [
      { SLURM_JOB_ID: '7', SLURM_NTASKS: '4' },
      { name: 'no launcher', speaks: null, size: null, rank: 0 },
    ],
  ];
  for (const [variables, expected] of cases) {
    const { contradiction, ...found } = detectLauncher(variables);
    t.same(found, expected);
    t.equal(contradiction !== undefined, found.speaks === null && found.size !== null, found.name);
  }
});

const FACTS: ProcessFacts = {
  ancestor: null,
  seesAll: true,
  isSocket: (descriptor) => descriptor === 6,
  isFolder: (path) => path === '/there',
};
const under = (kind: 'openmpi' | 'mpich' | 'slurm' | 'flux'): ProcessFacts => ({
  ...FACTS,
  ancestor: { kind, name: kind },
});
const OMPI = {
  OMPI_COMM_WORLD_SIZE: '4',
  OMPI_COMM_WORLD_RANK: '3',
  PMIX_RANK: '3',
  PMIX_NAMESPACE: '12345',
  PMIX_SERVER_URI2: '1;tcp4://127.0.0.1:1',
  PMIX_SERVER_TMPDIR: '/there',
};
const HYDRA = { PMI_RANK: '1', PMI_SIZE: '2', PMI_FD: '6', HYDI_CONTROL_FD: '7' };
const STEP = { SLURM_JOB_ID: '5', SLURM_STEP_ID: '0', SLURM_STEP_NUM_TASKS: '6', SLURM_PROCID: '2' };
const STEP_PMIX = { ...STEP, ...OMPI, PMIX_RANK: '2', PMIX_NAMESPACE: 'slurm.pmix.5.0' };

t.test('the nearest launcher counts, and what others left behind does not', async (t) => {
  const found = (variables: Record<string, string>, facts: ProcessFacts): unknown => {
    const { name, size, rank, contradiction } = detectLauncher(variables, facts);
    return contradiction === undefined ? [name, size, rank] : 'contradiction';
  };
  const both = { ...OMPI, ...HYDRA };
  t.same(found(both, under('mpich')), ['mpiexec of MPICH', 2, 1]);
  t.same(found(both, under('openmpi')), ['mpirun of Open MPI', 4, 3]);
  t.same(found(both, FACTS), ['mpiexec of MPICH', 2, 1], 'in a container: the open connection');
  t.same(found({ ...both, PMI_FD: '9' }, FACTS), ['mpirun of Open MPI', 4, 3], 'which is closed here');
  t.same(found(STEP_PMIX, under('slurm')), ['srun with PMIx', 6, 2], 'OMPI_COMM_WORLD_* is a leftover');
  t.same(found({ ...STEP, ...OMPI }, under('openmpi')), ['mpirun of Open MPI', 4, 3]);
  t.same(
    found({ SLURM_JOB_ID: '5', SLURM_PROCID: '0' }, under('slurm')),
    ['no launcher', null, 0],
    'a batch job',
  );
  t.same(found({ ...OMPI, PMIX_SERVER_TMPDIR: '/gone' }, FACTS), 'contradiction');
  t.same(found({ ...OMPI, PMIX_RANK: '1' }, under('openmpi')), 'contradiction', 'two ranks at once');
  t.same(found({ PMI_RANK: '4', PMI_SIZE: '4', PMI_FD: '6' }, FACTS), 'contradiction', 'no rank of 4');
  t.same(found(STEP, under('slurm')), 'contradiction', 'several tasks without an MPI');
  t.same(found({ ...STEP, SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0' }, under('slurm')), [
    'srun without an MPI plug-in',
    1,
    0,
  ]);
  t.same(found({}, under('openmpi')), 'contradiction', 'a cleared environment');
  const nameless = { ...OMPI, OMPI_COMM_WORLD_RANK: undefined, PMIX_RANK: undefined };
  t.same(found(nameless as never, under('openmpi')), ['mpirun of Open MPI', 4, 0], 'a rank that nobody says');
  t.same(
    found({ PMI_FD: '6', PMI_RANK: '3' }, FACTS),
    ['mpiexec of MPICH', null, 3],
    'a size that nobody says',
  );
  t.same(found({ ...STEP, PMI_FD: '6' }, under('slurm')), ['srun with PMI2', 6, 2], "both are the step's");
  t.same(found({ PMI_FD: '6' }, FACTS), ['mpiexec of MPICH', null, 0]);
});

t.test('what contradicts a launcher is named', async (t) => {
  const faultOf = (variables: Record<string, string>): string | undefined =>
    detectLauncher(variables, FACTS).contradiction;
  const without = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(OMPI).filter(([each]) => !each.startsWith(name)));
  t.match(faultOf(without('PMIX_NAMESPACE')), /PMIX_NAMESPACE is not set/);
  t.match(faultOf(without('PMIX_SERVER_URI')), /PMIX_SERVER_URI is not set/);
  t.match(faultOf({ PMI_RANK: '1', PMI_SIZE: '2' }), /PMI_FD is not set/);
  t.equal(faultOf({ PMI_RANK: '0', PMI_SIZE: '1' }), undefined, 'one process, rank 0, as it is');
  const { HYDI_CONTROL_FD: _, ...pmi2 } = { ...HYDRA, PMI_SIZE: '6' };
  t.match(faultOf({ ...STEP, ...pmi2 }), /SLURM_PROCID=2 differs from PMI_RANK/);
  const stale = { ...STEP, ...without('OMPI'), PMIX_RANK: '2', PMIX_NAMESPACE: 'slurm.pmix.5.1' };
  t.match(faultOf(stale), /PMIX_NAMESPACE is of step 5\.1, SLURM_STEP_ID says 5\.0/);
  const flux = { FLUX_JOB_ID: 'f1', FLUX_JOB_SIZE: '2', FLUX_TASK_RANK: '1' };
  t.match(faultOf(flux), /flux run without an MPI plug-in.*FLUX_JOB_SIZE=2/s);
  t.equal(faultOf({ ...flux, FLUX_JOB_SIZE: '1', FLUX_TASK_RANK: '0' }), undefined, 'one task needs no MPI');
});

t.test('an MPI sees only the variables of its own launcher', async (t) => {
  const user = {
    OMPI_MCA_btl: 'self,tcp',
    PMIX_MCA_gds: 'hash',
    SLURM_CONF: '/etc/slurm.conf',
    HOME: '/root',
  };
  const all = { ...user, ...OMPI, ...HYDRA, ...STEP, FLUX_JOB_ID: '1', OMPI_MCA_ess: '^singleton' };
  t.same(Object.keys(withoutLaunchers(all)).sort(), Object.keys(user).sort(), 'what launch passes on');
  const kept = (facts: ProcessFacts): string[] => {
    const gone = new Set(foreignVariables(all, detectLauncher(all, facts)));
    return Object.keys(all).filter((name) => !gone.has(name) && !(name in user));
  };
  t.notMatch(kept(under('openmpi')).join(), /PMI_/);
  t.match(kept(under('openmpi')).join(), /PMIX_RANK/);
  t.notMatch(kept(under('mpich')).join(), /PMIX_|OMPI_/);
  t.match(kept(under('mpich')).join(), /PMI_FD/);
});

t.test('the plug-in that is there is taken, one that is not is named with its remedy', async (t) => {
  await withTempDir(async (folder) => {
    const alone = detectLauncher({});
    const mpirun = detectLauncher({ OMPI_COMM_WORLD_SIZE: '2', OMPI_COMM_WORLD_RANK: '0' });
    t.throws(() => choosePlugin(mpirun, folder), {
      code: 'E_MPI_MISSING',
      exitStatus: 3,
      message:
        /no MPI plug-in for mpirun of Open MPI: .*openmpi\.so.*apt-get install openmpi-bin.*npm run build/,
    });
    writeFileSync(join(folder, 'railrunner_mpi_mpich.so'), '');
    t.throws(() => choosePlugin(mpirun, folder), { code: 'E_MPI_MISSING' });
    t.equal(choosePlugin(alone, folder).mpi, 'mpich');
    writeFileSync(join(folder, 'railrunner_mpi_openmpi.so'), '');
    t.equal(choosePlugin(alone, folder).mpi, 'openmpi');
  });
});

t.test('sizes that differ are refused', async (t) => {
  const launcher = detectLauncher({ PMI_RANK: '0', PMI_SIZE: '4' });
  t.doesNotThrow(() => checkLauncherSize(launcher, 'mpich', 4));
  t.doesNotThrow(() => checkLauncherSize(detectLauncher({}), 'mpich', 1));
  const guessed = detectLauncher({ PMIX_RANK: '1' });
  t.doesNotThrow(() => checkLauncherSize(guessed, 'openmpi', 2));
  t.throws(() => checkLauncherSize(guessed, 'openmpi', 1), { message: /gave this process rank 1/ });
  t.throws(() => checkLauncherSize(launcher, 'openmpi', 1), {
    code: 'E_LAUNCHER_MISMATCH',
    message: /mpiexec of MPICH started 4 processes, but MPI \(openmpi\) sees a world of 1/,
  });
});

t.test('UCX is tamed unless the user wants otherwise', async (t) => {
  const names = ['UCX_MEM_EVENTS', 'UCX_HANDLE_ERRORS', 'UCX_ERROR_SIGNALS', 'UCX_LOG_FILE'];
  const before = names.map((name) => process.env[name]);
  t.teardown(() =>
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }),
  );
  for (const name of names) delete process.env[name];
  process.env['UCX_HANDLE_ERRORS'] = 'bt';
  disableUcxHooks();
  t.same(
    names.map((name) => process.env[name]),
    ['no', 'bt', '', 'stderr'],
  );
});

t.test('errors of the network name what the user has told UCX', async (t) => {
  const variables = {
    UCX_TLS: 'rc',
    UCX_LOG_FILE: 'x',
    UCX_NET_DEVICES: 'mlx5_0:1',
    UCX_AUTH_TOKEN: 'y',
    OMPI_X: 'z',
  };
  t.equal(ucxVariables(variables), 'UCX_NET_DEVICES=mlx5_0:1, UCX_TLS=rc');
  t.equal(ucxVariables({}), '');
});

t.test('ranks are named shortly', async (t) => {
  t.equal(rankList([3]), 'rank 3');
  t.equal(rankList([0, 1, 2, 7, 9, 8]), 'ranks 0-2, 7-9');
});

t.test('the place on the machine, as each launcher numbers it', async (t) => {
  const placeOf = (variables: Record<string, string>) => localPlace(variables, detectLauncher(variables));
  t.same(placeOf({}), { rank: 0, size: null });
  const ompi = { OMPI_COMM_WORLD_SIZE: '8', OMPI_COMM_WORLD_RANK: '5' };
  t.same(placeOf({ ...ompi, OMPI_COMM_WORLD_LOCAL_RANK: '1', OMPI_COMM_WORLD_LOCAL_SIZE: '4' }), {
    rank: 1,
    size: 4,
  });
  t.same(placeOf({ PMI_RANK: '3', PMI_SIZE: '4', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '2' }), {
    rank: 1,
    size: 2,
  });
  const slurm = { SLURM_STEP_ID: '0', SLURM_STEP_NUM_TASKS: '4', SLURM_PROCID: '2' };
  t.same(placeOf({ ...slurm, SLURM_LOCALID: '0' }), { rank: 0, size: null });
  t.same(placeOf({ ...slurm, SLURM_LOCALID: '0', SLURM_STEP_TASKS_PER_NODE: '2(x2)' }), { rank: 0, size: 2 });
  t.same(placeOf({ ...slurm, SLURM_LOCALID: '0', SLURM_STEP_TASKS_PER_NODE: '3,1' }), {
    rank: 0,
    size: null,
  });
  t.same(placeOf(slurm), { rank: 2, size: null }, 'where nothing tells it, one rank of all speaks');
});
