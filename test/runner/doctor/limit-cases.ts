/** Readings of limits that the kernel sets a process. */
import { limits } from '../../../runner/doctor/checks/limits.js';
import { memlock } from '../../../runner/doctor/checks/memlock.js';
import { cudaProbes, gpusOf, group } from './cases.js';

const GIB = 1024 ** 3;
const cuda = cudaProbes(gpusOf(2));

const unlimited = {
  tasksLeft: Infinity,
  tasksSource: '',
  openFiles: 1024,
  addressSpaceBytes: Infinity,
  fileSizeBytes: Infinity,
};

const limitsGroup = group(limits, [
  { title: 'no limits', reading: unlimited, expected: ['ok'], says: /threads unlimited, 1024 open files/ },
  {
    title: 'few threads',
    reading: { ...unlimited, tasksLeft: 60, tasksSource: '/sys/fs/cgroup/pids/job/pids.max' },
    setting: { ranksHere: 2 },
    expected: ['few-tasks'],
    says: /60 more threads for 2 ranks \(.*pids.max\)/,
  },
  { title: 'few files', reading: { ...unlimited, openFiles: 64 }, expected: ['few-open-files'] },
  {
    title: 'sizes',
    reading: { ...unlimited, addressSpaceBytes: 4 * GIB, fileSizeBytes: GIB },
    expected: ['address-space-limited', 'file-size-limited'],
  },
]);

const memlockGroup = group(memlock, [
  {
    title: 'unlimited',
    reading: { limitBytes: Infinity, rdmaDevices: 2 },
    setting: { probes: cuda },
    expected: ['ok'],
  },
  {
    title: 'limited, with GPUs',
    reading: { limitBytes: 8 * 1024 ** 2, rdmaDevices: 0 },
    setting: { probes: cuda },
    expected: ['memlock-limited'],
    says: /8 MiB/,
  },
  {
    title: 'limited, with RDMA',
    reading: { limitBytes: 65536, rdmaDevices: 1 },
    expected: ['memlock-limited'],
    says: /64 KiB/,
  },
  {
    title: 'limited, nothing pins',
    reading: { limitBytes: 65536, rdmaDevices: 0 },
    expected: ['memlock-limited-unused'],
  },
]);

export const LIMIT_GROUPS = [memlockGroup, limitsGroup];
