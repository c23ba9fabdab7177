/** Limits of control groups, from made-up trees as kernels and container engines lay them out. */
import t from 'tap';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  controlGroups,
  cpuQuota,
  memoryLimits,
  taskLimits,
} from '../../../runner/preflight/control-groups.js';
import { availableMemory, fitIssues, type Need } from '../../../runner/preflight/memory.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

const MIB = 1024 ** 2;

function tree(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const MEMINFO = { '/proc/meminfo': 'MemTotal: 9000000 kB\nMemAvailable:  8388608 kB\n' };
const V2 = '31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n';

t.test('v2: the smallest limit of all parents, cache not counted as used', async (t) => {
  await withTempDir((root) => {
    tree(root, {
      ...MEMINFO,
      '/proc/self/mountinfo': `23 1 8:1 / / rw - ext4 /dev/sda rw\n${V2}`,
      '/proc/self/cgroup': '0::/slurm/job_7/step_0\n',
      '/sys/fs/cgroup/slurm/job_7/step_0/memory.max': 'max\n',
      '/sys/fs/cgroup/slurm/job_7/step_0/memory.current': `${100 * MIB}\n`,
      '/sys/fs/cgroup/slurm/job_7/memory.max': `${400 * MIB}\n`,
      '/sys/fs/cgroup/slurm/job_7/memory.current': `${350 * MIB}\n`,
      '/sys/fs/cgroup/slurm/job_7/memory.stat': `anon ${40 * MIB}\ninactive_file ${200 * MIB}\nactive_file ${50 * MIB}\nslab_reclaimable ${20 * MIB}\n`,
      '/sys/fs/cgroup/slurm/memory.high': `${900 * MIB}\n`,
      '/sys/fs/cgroup/slurm/job_7/pids.max': '100\n',
      '/sys/fs/cgroup/slurm/job_7/pids.current': '30\n',
      '/sys/fs/cgroup/slurm/cpu.max': '150000 100000\n',
    });
    const { bytes, source } = availableMemory(root);
    t.equal(source, '/sys/fs/cgroup/slurm/job_7/memory.max');
    t.equal(bytes, (400 - (350 - 270)) * MIB);
    t.match(memoryLimits(root), [
      { source: '/sys/fs/cgroup/slurm/job_7/memory.max' },
      { source: '/sys/fs/cgroup/slurm/memory.high', limit: 900 * MIB, used: 0 },
    ]);
    t.match(taskLimits(root), [{ source: '/sys/fs/cgroup/slurm/job_7/pids.max', limit: 100, used: 30 }]);
    t.same(cpuQuota(root), { cores: 1.5, source: '/sys/fs/cgroup/slurm/cpu.max' });
  });
});

t.test('v1: one hierarchy per controller, "no limit" is a large number', async (t) => {
  await withTempDir((root) => {
    const memory = '/sys/fs/cgroup/memory';
    tree(root, {
      ...MEMINFO,
      '/proc/self/mountinfo':
        '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n' +
        '36 31 0:33 / /sys/fs/cgroup/pids\\040and rw - cgroup cgroup rw,pids\n' +
        '37 31 0:34 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n',
      '/proc/self/cgroup': '4:memory:/job/step\n8:pids:/p\n1:cpu,cpuacct:/job\n0::/\n',
      [`${memory}/job/step/memory.limit_in_bytes`]: '9223372036854771712\n',
      [`${memory}/job/memory.limit_in_bytes`]: `${400 * MIB}\n`,
      [`${memory}/job/memory.usage_in_bytes`]: `${300 * MIB}\n`,
      [`${memory}/job/memory.stat`]: `inactive_file 1\ntotal_inactive_file ${100 * MIB}\ntotal_active_file ${50 * MIB}\n`,
      '/sys/fs/cgroup/pids and/p/pids.max': '64\n',
      '/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us': '50000\n',
      '/sys/fs/cgroup/cpu/job/cpu.cfs_period_us': '100000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    });
    t.match(availableMemory(root), {
      bytes: (400 - 150) * MIB,
      source: `${memory}/job/memory.limit_in_bytes`,
    });
    t.match(taskLimits(root), [{ limit: 64, used: 0 }]);
    t.equal(cpuQuota(root)?.cores, 0.5);
  });
});

t.test('a mount that shows a part of the hierarchy, and paths outside of it', async (t) => {
  await withTempDir((root) => {
    const shown = (cgroup: string) => {
      tree(root, {
        ...MEMINFO,
        '/proc/self/mountinfo': V2.replace(' / /sys', ' /docker/abc /sys'),
        '/proc/self/cgroup': `0::${cgroup}\n`,
        '/sys/fs/cgroup/memory.max': `${64 * MIB}\n`,
      });
      return controlGroups('memory', root).map(({ folder }) => folder);
    };
    t.same(shown('/docker/abc/x'), ['/sys/fs/cgroup/x', '/sys/fs/cgroup']);
    t.same(shown('/docker/abc'), ['/sys/fs/cgroup']);
    t.same(shown('/../other'), ['/sys/fs/cgroup'], 'a cgroup namespace');
    t.equal(availableMemory(root).bytes, 64 * MIB);
  });
});

t.test('nothing to read: the machine', async (t) => {
  await withTempDir((root) => {
    t.match(availableMemory(root), { bytes: Number.MAX_SAFE_INTEGER }, 'not even what the machine has');
    tree(root, {
      ...MEMINFO,
      '/proc/self/mountinfo': '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n',
      '/proc/self/cgroup': '8:pids:/p\n',
    });
    t.same(controlGroups('memory', root), [], 'a controller that the process has no group of');
    t.match(availableMemory(root), { bytes: 8388608 * 1024, source: 'MemAvailable' });
    t.equal(cpuQuota(root), null);
  });
});

t.test('what does not fit is said once, with what limits it', async (t) => {
  const need = (group: string, changes: Partial<Need> = {}): Need => ({
    host: 0,
    memoryBytes: 300 * MIB,
    deviceBytes: 0,
    diskBytes: 0,
    diskPath: '',
    memory: [
      { key: 'machine', source: 'MemAvailable', bytes: 1024 * MIB },
      { key: group, source: '/sys/fs/cgroup/memory.max', bytes: 400 * MIB },
    ],
    addressSpaceBytes: Number.MAX_SAFE_INTEGER,
    fileSizeBytes: Number.MAX_SAFE_INTEGER,
    freeDeviceBytes: 0,
    freeDiskBytes: Number.MAX_SAFE_INTEGER,
    ...changes,
  });
  t.same(fitIssues([need('a'), need('a')], 'host'), [
    'host 0: 2 ranks need 600 MiB of memory, 400 MiB are available (/sys/fs/cgroup/memory.max)',
  ]);
  t.same(fitIssues([need('a'), need('b')], 'host'), [], 'containers of one host have a limit each');
  t.match(fitIssues([need('a'), need('b'), need('c'), need('d')], 'host'), [/4 ranks need .*MemAvailable/]);
  const onGpu = { memoryBytes: 0, deviceBytes: 10 * MIB, freeDeviceBytes: 11 * MIB };
  t.same(fitIssues([need('a', onGpu)], 'cuda'), ['rank 0: needs 10 MiB of GPU memory, 11 MiB are free']);
  t.same(fitIssues([need('a', { ...onGpu, freeDeviceBytes: 12 * MIB })], 'cuda'), []);
  const least = { key: 'inner', source: '/inner/memory.max', bytes: 100 * MIB };
  const nested = need('a', {
    memory: [...need('a').memory.map((share) => ({ ...share, bytes: 200 * MIB })), least],
  });
  t.match(fitIssues([nested], 'host'), [
    'host 0: 1 rank needs 300 MiB of memory, 100 MiB are available (/inner/memory.max)',
  ]);
  t.match(fitIssues([need('a', { addressSpaceBytes: 200 * MIB })], 'host'), [/rank 0: .*RLIMIT_AS/]);
  t.match(fitIssues([need('a', { diskBytes: 9, diskPath: '/d', fileSizeBytes: 8 })], 'host'), [
    /RLIMIT_FSIZE/,
  ]);
});
