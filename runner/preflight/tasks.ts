/** How many more threads may be made here: each thread of each process is a task that limits count. */
import { readdirSync } from 'node:fs';
import { systemText, taskLimits } from './control-groups.js';
import { processLimits } from './process-limits.js';

/** Threads that a process of Node 20 to 26 has before it runs a line of ours. */
export const NODE_THREADS = 11;

export interface TasksLeft {
  /** Infinity: no limit. */
  readonly tasks: number;
  /** What sets that; '' where nothing does. */
  readonly source: string;
}

/** The least of control groups, RLIMIT_NPROC and the kernel's own limits of threads and process ids. `root`: another tree in tests. */
export function tasksLeft(root = '/'): TasksLeft {
  const left = taskLimits(root).map(({ source, limit, used }) => ({ tasks: limit - used, source }));
  const { processes } = processLimits();
  const user = process.getuid?.();
  // The superuser is exempt.
  if (user !== undefined && user !== 0 && processes !== Infinity) {
    left.push({ tasks: processes - tasksOfUser(user), source: 'ulimit -u, RLIMIT_NPROC' });
  }
  // "0.52 0.58 0.59 3/411 5127": the second of 3/411 counts every thread of the machine.
  const ofMachine = Number(/\d\/(\d+)/.exec(systemText(root, '/proc/loadavg'))?.[1] ?? 0);
  for (const name of ['threads-max', 'pid_max']) {
    const limit = Number.parseInt(systemText(root, `/proc/sys/kernel/${name}`), 10);
    if (!Number.isNaN(limit)) left.push({ tasks: limit - ofMachine, source: `kernel.${name}` });
  }
  const [least = { tasks: Infinity, source: '' }] = left.toSorted((one, other) => one.tasks - other.tasks);
  return { tasks: Math.max(0, least.tasks), source: least.source };
}

/** Threads of all processes of this user, which RLIMIT_NPROC counts. */
function tasksOfUser(user: number): number {
  let tasks = 0;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const status = systemText('/', `/proc/${entry}/status`);
    if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? -1) !== user) continue;
    tasks += Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 1);
  }
  return tasks;
}
