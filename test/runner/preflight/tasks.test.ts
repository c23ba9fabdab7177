/** How many threads a user who is not the superuser may still make. */
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { tasksLeft } from '../../../runner/preflight/tasks.js';
import { projectRoot } from '../../../runner/project.js';

const TASKS = pathToFileURL(join(projectRoot, 'dist', 'runner', 'preflight', 'tasks.js')).href;
/** More than people run, less than kernels and containers allow. */
const LIMIT = 3000;

/** `tasksLeft()` in a process with `ulimit -u LIMIT` that takes its user for `uid`. */
function tasksLeftOf(uid: number): { tasks: number; source: string } {
  const script = `process.getuid = () => ${uid}; console.log(JSON.stringify((await import('${TASKS}')).tasksLeft()));`;
  const shell = 'ulimit -u "$1"; exec "$2" --input-type=module -e "$3"';
  const words = ['-c', shell, 'sh', String(LIMIT), process.execPath, script];
  return JSON.parse(execFileSync('bash', words, { encoding: 'utf8' })) as { tasks: number; source: string };
}

t.test('RLIMIT_NPROC less what the user runs; the superuser is exempt', async (t) => {
  t.same(
    tasksLeftOf(4_000_000_000),
    { tasks: LIMIT, source: 'ulimit -u, RLIMIT_NPROC' },
    'a user without processes',
  );
  const own = process.getuid?.() ?? 0;
  if (own !== 0) t.match(tasksLeftOf(own), { source: 'ulimit -u, RLIMIT_NPROC' });
  t.not(tasksLeftOf(0).source, 'ulimit -u, RLIMIT_NPROC');
  if (own !== 0) return;
  const user = 2_000_000_001;
  const child = spawn('sleep', ['600'], { uid: user, stdio: 'ignore' });
  t.teardown(() => child.kill());
  t.equal(tasksLeftOf(user).tasks, LIMIT - 1, 'a user with one thread');
});

t.test('the least of control groups and the kernel; no limit where the machine says none', async (t) => {
  const root = t.testdir({
    proc: {
      loadavg: '0.52 0.58 0.59 3/411 5127\n',
      self: {
        mountinfo: '31 23 0:28 / /group rw - cgroup2 cgroup2 rw\n',
        cgroup: '0::/job\n',
      },
      sys: { kernel: { 'threads-max': '1000\n', pid_max: '4194304\n' } },
    },
    group: { job: { 'pids.max': '600\n', 'pids.current': '30\n' } },
  });
  t.same(tasksLeft(root), { tasks: 570, source: '/group/job/pids.max' });
  writeFileSync(join(root, 'group/job/pids.max'), 'max\n');
  t.same(tasksLeft(root), { tasks: 1000 - 411, source: 'kernel.threads-max' });
  if (process.getuid?.() === 0) t.same(tasksLeft(join(root, 'none')), { tasks: Infinity, source: '' });
});
