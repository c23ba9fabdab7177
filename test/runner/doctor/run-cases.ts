import { build } from '../../../runner/doctor/checks/build.js';
import { mpi } from '../../../runner/doctor/checks/mpi.js';
import { spec } from '../../../runner/doctor/checks/spec.js';
import { variables } from '../../../runner/doctor/checks/variables.js';
import { ALONE, BUILD, cudaProbes, gpusOf, group, HOST_PROBES, UNDER_MPICH, type Group } from './cases.js';

const cuda = cudaProbes(gpusOf(2));

const buildGroup = group(build, [
  { title: 'good', reading: { gpusOnBus: 2 }, expected: ['ok'], says: /host and cuda devices/ },
  {
    title: 'none',
    reading: { gpusOnBus: 0 },
    setting: { probes: { ...HOST_PROBES, build: null, buildReason: 'it is not built' } },
    expected: ['addon-missing'],
    says: /it is not built/,
  },
  {
    title: 'without nvcc, with GPUs',
    reading: { gpusOnBus: 2 },
    setting: { probes: { ...HOST_PROBES, build: { ...BUILD, cuda: null } } },
    expected: ['addon-without-cuda', 'ok'],
  },
  {
    title: 'without nvcc and GPUs',
    reading: { gpusOnBus: 0 },
    setting: { probes: { ...HOST_PROBES, build: { ...BUILD, cuda: null } } },
    expected: ['ok'],
    says: /only the host device/,
  },
  {
    title: 'debug',
    reading: { gpusOnBus: 0 },
    setting: { probes: { ...HOST_PROBES, build: { ...BUILD, buildType: 'Debug' } } },
    expected: ['debug-build', 'ok'],
    says: /^build type Debug$/,
  },
  {
    title: 'sanitizers',
    reading: { gpusOnBus: 0 },
    setting: { probes: { ...HOST_PROBES, build: { ...BUILD, sanitizers: 'thread' } } },
    expected: ['debug-build', 'ok'],
    says: /^build type Release, sanitizers thread$/,
  },
]);

const openmpi = {
  mpi: 'openmpi',
  path: '/n/railrunner_mpi_openmpi.so',
  library: '/lib/libmpi.so.40',
  missing: [],
} as const;
const broken = { ...openmpi, mpi: 'mpich', library: '', missing: ['libmpich.so.12'] } as const;
const mpirun = { path: '/usr/bin/mpirun', mpi: 'openmpi' } as const;
const hydra = { path: '/usr/bin/mpirun.mpich', mpi: 'mpich' } as const;

const mpiGroup = group(mpi, [
  {
    title: 'one MPI',
    reading: { plugins: [openmpi], mpiruns: [mpirun] },
    expected: ['ok', 'ok'],
    says: /libmpi.so.40/,
  },
  { title: 'no plug-in', reading: { plugins: [], mpiruns: [] }, expected: ['no-plugin', 'no-mpirun'] },
  {
    title: 'a plug-in without its library',
    reading: { plugins: [broken], mpiruns: [mpirun] },
    expected: ['no-plugin', 'plugin-library-missing', 'mpirun-mismatch'],
    says: /MPICH: libmpich.so.12 not found/,
  },
  {
    title: 'the other launcher',
    reading: { plugins: [openmpi], mpiruns: [mpirun] },
    setting: { launcher: UNDER_MPICH },
    expected: ['ok', 'launcher-without-plugin'],
  },
  {
    title: 'its launcher',
    reading: { plugins: [{ ...openmpi, mpi: 'mpich' }], mpiruns: [] },
    setting: { launcher: UNDER_MPICH },
    expected: ['ok', 'ok'],
  },
  {
    title: 'srun without MPI',
    reading: { plugins: [openmpi], mpiruns: [] },
    setting: { launcher: { ...ALONE, name: 'srun without an MPI plug-in', size: 4 } },
    expected: ['ok', 'launcher-without-mpi'],
  },
  {
    title: 'variables of another job',
    reading: { plugins: [openmpi], mpiruns: [] },
    setting: { launcher: { ...ALONE, contradiction: 'PMIX_RANK=1 says otherwise' } },
    expected: ['ok', 'launcher-contradicts'],
    says: /PMIX_RANK=1/,
  },
  {
    title: 'two MPIs',
    reading: { plugins: [openmpi, { ...openmpi, mpi: 'mpich' }], mpiruns: [mpirun, hydra] },
    expected: ['ok', 'ok', 'several-mpis'],
  },
  {
    title: 'no plain mpirun, and no ldd',
    reading: { plugins: [{ ...openmpi, mpi: 'mpich', library: '' }], mpiruns: [hydra] },
    expected: ['ok', 'ok'],
    says: /^plug-in for MPICH, its library was not asked for \(no ldd\)$/,
  },
  {
    title: 'plain mpirun of the other',
    reading: { plugins: [openmpi], mpiruns: [{ path: '/usr/bin/mpirun', mpi: 'mpich' }] },
    expected: ['ok', 'mpirun-mismatch'],
  },
  {
    title: 'an mpirun that nobody knows',
    reading: { plugins: [openmpi], mpiruns: [{ path: '/opt/bin/mpirun', mpi: undefined }] },
    expected: ['ok', 'no-mpirun'],
  },
]);

const variablesGroup = group(variables, [
  {
    title: 'a key of jobs fixed',
    reading: {},
    setting: {
      environmentKeys: [
        { name: 'DYN_KVBM_NCCL_MAX_CTAS', key: 'maxCtas', range: [1, 64], meaning: 'm', value: 4 },
      ],
    },
    expected: ['job-keys-fixed'],
    says: /DYN_KVBM_NCCL_MAX_CTAS=4: maxCtas/,
  },
  {
    title: 'none',
    reading: { NCCL_DEBUG: 'WARN', UCX_MEM_EVENTS: 'no', NCCL_P2P_DISABLE: '0' },
    expected: ['ok'],
  },
  {
    title: 'all',
    reading: {
      UCX_MEM_EVENTS: 'yes',
      RAILRUNNER_FAULT: 'x',
      CUDA_LAUNCH_BLOCKING: '1',
      NCCL_SHM_DISABLE: '1',
      UCX_TLS: 'tcp',
      NCCL_DEBUG: 'INFO',
    },
    expected: ['ucx-hooks', 'fault-injected', 'cuda-blocking', 'nccl-paths-off', 'ucx-choice', 'nccl-debug'],
    says: /NCCL_SHM_DISABLE=1/,
  },
]);

const runs = {
  numPoints: 6,
  device: 'cuda',
  deviceRefusal: '',
  allowSharedDevice: false,
  worldRefusals: [],
  fitRefusals: [],
  skipped: [],
} as const;

const specGroup = group(spec, [
  { title: 'no spec', reading: null, expected: [] },
  {
    title: 'good',
    reading: runs,
    setting: { probes: cuda, ranksHere: 2, worldSize: 4 },
    expected: ['ok'],
    says: /6 of 6 points can run on 4 ranks, device cuda/,
  },
  {
    title: 'no device',
    reading: { ...runs, device: null, deviceRefusal: 'no rank has a GPU' },
    expected: ['device-refused'],
  },
  {
    title: 'shared GPUs',
    reading: runs,
    setting: { probes: cuda, ranksHere: 3 },
    expected: ['gpu-shared'],
    says: /3 ranks on 2 GPUs/,
  },
  {
    title: 'shared GPUs on purpose',
    reading: { ...runs, allowSharedDevice: true },
    setting: { probes: cuda, ranksHere: 3 },
    expected: ['ok'],
  },
  {
    title: 'a rule of worlds',
    reading: { ...runs, device: 'host', worldRefusals: ['a', 'b', 'c', 'd', 'e'] },
    setting: { worldSize: 3 },
    expected: ['world-refused'],
    says: /^with 3 ranks: a; b; c; d; and 1 more$/,
  },
  {
    title: 'too large',
    reading: { ...runs, device: 'host', fitRefusals: ['host 0: too much'] },
    expected: ['does-not-fit'],
  },
  {
    title: 'some skipped',
    reading: { ...runs, device: 'host', skipped: [{ reason: 'r', points: [1, 2, 5] }] },
    expected: ['points-skipped', 'ok'],
    says: /^points 1-2, 5: r$/,
  },
  {
    title: 'all skipped',
    reading: {
      ...runs,
      numPoints: 2,
      device: 'host',
      skipped: [
        { reason: 'r', points: [0] },
        { reason: 's', points: [1] },
      ],
    },
    expected: ['all-points-skipped', 'all-points-skipped'],
    says: /^point 1: s$/,
  },
]);

export const RUN_GROUPS: readonly Group[] = [specGroup, buildGroup, mpiGroup, variablesGroup];
