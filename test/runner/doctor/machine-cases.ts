import { cores } from '../../../runner/doctor/checks/cores.js';
import { disk } from '../../../runner/doctor/checks/disk.js';
import { memory } from '../../../runner/doctor/checks/memory.js';
import { numa } from '../../../runner/doctor/checks/numa.js';
import { sharedMemory } from '../../../runner/doctor/checks/shared-memory.js';
import type { StorageProbe } from '../../../runner/native/types/index.js';
import type { SpecToJudge } from '../../../runner/doctor/context.js';
import { cudaProbes, gpusOf, group, UNDER_MPICH, type Group } from './cases.js';
import { LIMIT_GROUPS } from './limit-cases.js';

const GIB = 1024 ** 3;

const calm = {
  onlineCores: 8,
  allowedCores: 8,
  launcherCores: 8,
  quota: null,
  load: 0.2,
  governor: 'performance',
  virtual: false,
};

const coresGroup = group(cores, [
  {
    title: 'calm',
    reading: calm,
    setting: { ranksHere: 8 },
    expected: ['ok'],
    says: /8 cores, 8 ranks here/,
  },
  {
    title: 'too many ranks',
    reading: calm,
    setting: { ranksHere: 9 },
    expected: ['more-ranks-than-cores', 'ok'],
    says: /9 ranks on 8 cores/,
  },
  {
    title: 'a quota',
    reading: { ...calm, quota: { cores: 2.5, source: '/sys/fs/cgroup/job/cpu.max' } },
    setting: { ranksHere: 4 },
    expected: ['cpu-quota', 'ok'],
    says: /2.5 cores' worth of time for 4 ranks \(.sys.fs.cgroup.job.cpu.max\)/,
  },
  {
    title: 'ranks bound to a core each',
    reading: { ...calm, allowedCores: 1 },
    setting: { ranksHere: 4, launcher: UNDER_MPICH },
    expected: ['bound-to-one-core', 'ok'],
  },
  {
    title: 'a launcher that may use two of eight cores',
    reading: { ...calm, allowedCores: 2, launcherCores: 2 },
    setting: { ranksHere: 4, launcher: UNDER_MPICH },
    expected: ['more-ranks-than-cores', 'ok'],
    says: /4 ranks on 2 cores/,
  },
  { title: 'a single core', reading: { ...calm, allowedCores: 1, onlineCores: 1 }, expected: ['ok'] },
  { title: 'other work', reading: { ...calm, load: 3.1 }, expected: ['machine-busy', 'ok'] },
  { title: 'power saved', reading: { ...calm, governor: 'powersave' }, expected: ['power-saving', 'ok'] },
  { title: 'a virtual machine', reading: { ...calm, virtual: true }, expected: ['virtual-machine', 'ok'] },
]);

const memoryGroup = group(memory, [
  {
    title: 'much',
    reading: { availableBytes: 64 * GIB, source: 'MemAvailable', swapUsedBytes: 0 },
    expected: ['ok'],
    says: /64 GiB available \(MemAvailable\)/,
  },
  {
    title: 'little',
    reading: { availableBytes: 3 * GIB, source: 'MemAvailable', swapUsedBytes: 0 },
    setting: { ranksHere: 4 },
    expected: ['little-memory'],
  },
  {
    title: 'swapped',
    reading: { availableBytes: 64 * GIB, source: 'MemAvailable', swapUsedBytes: GIB },
    expected: ['swapping'],
  },
]);

const shmGroup = group(sharedMemory, [
  { title: 'roomy', reading: { totalBytes: 8 * GIB, freeBytes: 8 * GIB, leftBehind: [] }, expected: ['ok'] },
  {
    title: "a container's",
    reading: { totalBytes: 64 * 1024 ** 2, freeBytes: 64 * 1024 ** 2, leftBehind: [] },
    expected: ['shm-small'],
  },
  { title: 'none', reading: { totalBytes: null, freeBytes: 0, leftBehind: [] }, expected: ['shm-missing'] },
  {
    title: 'left behind',
    reading: { totalBytes: GIB, freeBytes: GIB, leftBehind: ['nccl-a', 'nccl-b', 'nccl-c', 'nccl-d'] },
    expected: ['ok', 'shm-left-behind'],
    says: /4 files: nccl-a, nccl-b, nccl-c, \.\.\./,
  },
  {
    title: 'one left behind',
    reading: { totalBytes: GIB, freeBytes: GIB, leftBehind: ['nccl-a'] },
    expected: ['ok', 'shm-left-behind'],
    says: /1 file: nccl-a$/,
  },
]);

const nodes = [
  { node: 0, cores: [0, 1] },
  { node: 1, cores: [2, 3] },
];
const two = { nodes, allowedCores: [0, 1, 2, 3], balancing: false };
const apart = cudaProbes(gpusOf(2, { 1: { numaNode: 1 } }));

const numaGroup = group(numa, [
  { title: 'one node', reading: { ...two, nodes: nodes.slice(0, 1), balancing: true }, expected: ['ok'] },
  {
    title: 'two nodes',
    reading: two,
    setting: { probes: apart },
    expected: ['ok'],
    says: /2 nodes \(GPU 0: node 0; GPU 1: node 1\)/,
  },
  { title: 'balancing', reading: { ...two, balancing: true }, expected: ['numa-balancing', 'ok'] },
  {
    title: 'a GPU nowhere',
    reading: two,
    setting: { probes: cudaProbes(gpusOf(1, { 0: { numaNode: -1 } })) },
    expected: ['gpu-node-unknown', 'ok'],
  },
  {
    title: 'bound far away',
    reading: { ...two, allowedCores: [0, 1] },
    setting: { probes: apart, localRank: 1 },
    expected: ['far-from-gpu', 'ok'],
    says: /GPU 1 is on node 1, this process on 0/,
  },
  {
    title: 'bound near',
    reading: { ...two, allowedCores: [2] },
    setting: { probes: apart, localRank: 1 },
    expected: ['ok'],
  },
]);

const io: StorageProbe = {
  direct: 'direct',
  directReason: '',
  alignmentBytes: 512,
  ringRefusal: '',
  diskIo: 'io_uring+O_DIRECT qd=32',
};
const folder = { path: '/d', fault: '', fileSystem: 'xfs', freeBytes: GIB, io } as const;
const job = {} as SpecToJudge;
const on = (fileSystem: string, seen: Partial<StorageProbe> = {}) => ({
  folders: [{ ...folder, fileSystem, io: { ...io, ...seen } }],
});

const diskGroup = group(disk, [
  {
    title: 'a disk',
    reading: on('xfs'),
    expected: ['ok'],
    says: /\/d: xfs, io_uring\+O_DIRECT qd=32, 1 GiB free/,
  },
  { title: 'no disk tier', reading: { folders: [] }, setting: { job }, expected: ['ok'] },
  {
    title: 'no folder of the spec',
    reading: { folders: [{ ...folder, fault: 'does not exist', io: null }] },
    setting: { job },
    expected: ['folder-unusable'],
    says: /\/d does not exist/,
  },
  {
    title: 'a folder that is not ours',
    reading: { folders: [{ ...folder, fault: 'is not writable', io: null }] },
    expected: ['folder-not-writable'],
  },
  {
    title: 'no O_DIRECT',
    reading: on('ext4', {
      direct: 'buffered',
      directReason: 'the file system has no direct I/O for this file',
    }),
    expected: ['no-direct-io'],
    says: /\/d \(ext4\): the file system has no direct I\/O/,
  },
  {
    title: 'a file system that does not say',
    reading: on('btrfs', { direct: 'unconfirmed', directReason: 'it accepts O_DIRECT' }),
    expected: ['direct-io-unconfirmed'],
  },
  { title: 'tmpfs', reading: on('tmpfs'), expected: ['memory-file-system'] },
  { title: 'NFS', reading: on('nfs4'), expected: ['network-file-system'] },
  { title: 'FUSE', reading: on('fuse.sshfs'), expected: ['network-file-system'] },
  { title: 'overlay', reading: on('overlay'), expected: ['overlay'] },
  {
    title: 'io_uring refused',
    reading: on('ext4', {
      ringRefusal: 'a ring of 32 requests: errno 12, the locked-memory limit is 64 KiB',
    }),
    expected: ['ok', 'no-io-uring'],
    says: /locked-memory limit is 64 KiB/,
  },
]);

export const MACHINE_GROUPS: readonly Group[] = [
  coresGroup,
  memoryGroup,
  ...LIMIT_GROUPS,
  shmGroup,
  numaGroup,
  diskGroup,
];
