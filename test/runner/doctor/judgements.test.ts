/** Every finding of every check is made once from a reading, and what it says names what was seen. */
import t from 'tap';
import { CHECKS } from '../../../runner/doctor/checks.js';
import { fileSystemOf } from '../../../runner/doctor/checks/disk.js';
import { parseQuota } from '../../../runner/preflight/control-groups.js';
import { parseLimits } from '../../../runner/preflight/process-limits.js';
import { swapUsed } from '../../../runner/doctor/checks/memory.js';
import { parseLdd } from '../../../runner/doctor/checks/mpi.js';
import { parseList } from '../../../runner/doctor/files.js';
import { defineCheck } from '../../../runner/doctor/finding.js';
import { settingOf } from './cases.js';
import { GPU_GROUPS } from './gpu-cases.js';
import { MACHINE_GROUPS } from './machine-cases.js';
import { NETWORK_GROUPS } from './network-cases.js';
import { RUN_GROUPS } from './run-cases.js';

const GROUPS = [...RUN_GROUPS, ...MACHINE_GROUPS, ...GPU_GROUPS, ...NETWORK_GROUPS];

for (const { check, kinds, judged } of GROUPS) {
  t.test(check, async (t) => {
    for (const { title, expected, says, noticed } of judged) {
      t.same(
        noticed.map(({ kind }) => kind),
        expected,
        title,
      );
      if (says)
        t.ok(
          noticed.some(({ what }) => says.test(what)),
          `${title}: ${JSON.stringify(noticed)}`,
        );
    }
    const made = new Set(judged.flatMap(({ expected }) => expected));
    t.same(
      [...kinds, 'ok'].filter((kind) => !made.has(kind)),
      [],
      'every kind is made once',
    );
  });
}

t.test('every check has its cases, and every kind tells what to do in whole sentences', async (t) => {
  t.same(GROUPS.map(({ check }) => check).toSorted(), CHECKS.map(({ name }) => name).toSorted());
  const names = CHECKS.flatMap(({ kinds }) => Object.keys(kinds));
  t.same(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
    'kinds have names of their own',
  );
  for (const { name, kinds } of CHECKS) {
    for (const [kind, { consequence, remedy, when }] of Object.entries(kinds)) {
      t.ok(consequence.endsWith('.') && remedy.length > 3 && when.length > 5, `${name} ${kind}`);
    }
  }
});

t.test('a check that cannot ask says so and ends', async (t) => {
  const check = defineCheck({
    name: 'broken',
    looksAt: 'nothing',
    kinds: {},
    read: (): string => {
      throw new Error('no such file');
    },
    judge: () => [],
  });
  t.match(await check.examine(settingOf()), [
    { check: 'broken', kind: 'unreadable', severity: 'info', what: /no such file/ },
  ]);
});

t.test('what the kernel and ldd print', async (t) => {
  t.same(parseList('0-2,8\n'), [0, 1, 2, 8]);
  t.same(parseList(''), []);
  t.equal(parseQuota('250000 100000\n'), 2.5);
  t.equal(parseQuota('max 100000\n'), null);
  t.equal(parseQuota(''), null);
  t.equal(parseQuota('-1 100000'), null, 'no limit in cgroup v1');
  const rows = ['address space', 'file size', 'locked memory', 'open files', 'processes'];
  const text = rows.map((row, index) => `Max ${row}   ${index + 1}024   unlimited   bytes`).join('\n');
  t.same(parseLimits(text.replace('3024', 'unlimited')), {
    addressSpace: 1024,
    fileSize: 2024,
    lockedMemory: Infinity,
    openFiles: 4024,
    processes: 5024,
  });
  t.throws(() => parseLimits(''), /no line "Max address space"/);
  t.equal(swapUsed('SwapTotal:  2048 kB\nSwapFree:  1024 kB\n'), 1024 * 1024);
  t.same(
    parseLdd('\tlinux-vdso.so.1 (0x1)\n\tlibmpi.so.40 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n'),
    {
      library: '',
      missing: ['libmpi.so.40'],
    },
  );
  t.same(parseLdd('\tlibmpich.so.12 => /lib/libmpich.so.12 (0x2)\n'), {
    library: '/lib/libmpich.so.12',
    missing: [],
  });
});

t.test('the file system of a path is that of its longest mount point', async (t) => {
  const mounts = [
    '1 0 8:1 / / rw - ext4 /dev/sda1 rw',
    '2 1 0:2 / /data rw shared:1 - xfs /dev/sdb rw',
    '3 1 0:3 / /data/a\\040b rw - nfs4 server:/x rw',
    '4 1 0:4 / /data rw - tmpfs tmpfs rw',
  ].join('\n');
  t.equal(fileSystemOf('/database', mounts), 'ext4');
  t.equal(fileSystemOf('/data', mounts), 'tmpfs', 'the last mounted hides the others');
  t.equal(fileSystemOf('/data/a b/c', mounts), 'nfs4');
});
