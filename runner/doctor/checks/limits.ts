import { taskLimits } from '../../preflight/control-groups.js';
import { processLimits } from '../../preflight/process-limits.js';
import { formatBytes } from '../../text/bytes.js';
import { entriesOf, textOf } from '../files.js';
import { defineCheck, type Observation } from '../finding.js';

export interface LimitsReading {
  /** Threads that may still be made; Infinity: no limit. */
  readonly tasksLeft: number;
  /** What sets that: a control group's pids.max, or RLIMIT_NPROC. */
  readonly tasksSource: string;
  readonly openFiles: number;
  readonly addressSpaceBytes: number;
  readonly fileSizeBytes: number;
}

/** Node starts with 11 threads; MPI, UCX, the work thread, copy and disk threads and proxies come on top. */
const TASKS_PER_RANK = 48;
/** MPI connects every pair of ranks, pools and peers' segments are descriptors too. */
const OPEN_FILES_PER_RANK = 256;

type Kind = 'few-tasks' | 'few-open-files' | 'address-space-limited' | 'file-size-limited';

export const limits = defineCheck<LimitsReading, Kind>({
  name: 'limits',
  looksAt: 'limits of threads, open files, address space and file size (ulimit -u -n -v -f, pids.max)',
  kinds: {
    'few-tasks': {
      severity: 'warning',
      when: 'fewer than 48 threads for each rank may still be made',
      consequence:
        'Ranks end while they start, or points fail with E_ALLOCATION where a thread cannot be made.',
      remedy:
        "Raise the container's pids limit (--pids-limit, TasksMax=) or `ulimit -u`, or start fewer ranks.",
    },
    'few-open-files': {
      severity: 'warning',
      when: 'a process may open fewer than 256 files',
      consequence: 'MPI, network connections or pools of a rank fail for want of descriptors (EMFILE).',
      remedy: 'ulimit -n 4096 before mpirun; for good: `* - nofile 4096` in /etc/security/limits.conf.',
    },
    'address-space-limited': {
      severity: 'warning',
      when: 'the address space of a process is limited',
      consequence:
        'Node and CUDA reserve far more address space than memory: pools that fit memory are refused (E_MEMORY_FIT), or Node does not start.',
      remedy: 'ulimit -v unlimited',
    },
    'file-size-limited': {
      severity: 'warning',
      when: 'the size of files is limited',
      consequence: 'Disk pools above the limit are refused (E_MEMORY_FIT).',
      remedy: 'ulimit -f unlimited',
    },
  },
  read: () => {
    const { openFiles, addressSpace, fileSize, processes } = processLimits();
    const shares = taskLimits().map(({ source, limit, used }) => ({ left: limit - used, source }));
    // The superuser is exempt.
    if (process.getuid?.() !== 0 && processes !== Infinity) {
      shares.push({ left: processes - tasksOfUser(), source: 'ulimit -u, RLIMIT_NPROC' });
    }
    const least = shares.toSorted((left, right) => left.left - right.left)[0];
    return {
      tasksLeft: Math.max(0, least?.left ?? Infinity),
      tasksSource: least?.source ?? '',
      openFiles,
      addressSpaceBytes: addressSpace,
      fileSizeBytes: fileSize,
    };
  },
  judge: (reading, { ranksHere }) => {
    const { tasksLeft, tasksSource, openFiles, addressSpaceBytes, fileSizeBytes } = reading;
    const found: Observation<Kind>[] = [];
    if (tasksLeft < ranksHere * TASKS_PER_RANK) {
      found.push({
        kind: 'few-tasks',
        what: `${tasksLeft} more threads for ${ranksHere} ranks (${tasksSource})`,
      });
    }
    if (openFiles < OPEN_FILES_PER_RANK) found.push({ kind: 'few-open-files', what: `${openFiles} files` });
    if (addressSpaceBytes !== Infinity) {
      found.push({ kind: 'address-space-limited', what: formatBytes(addressSpaceBytes) });
    }
    if (fileSizeBytes !== Infinity)
      found.push({ kind: 'file-size-limited', what: formatBytes(fileSizeBytes) });
    if (found.length > 0) return found;
    const tasks = tasksLeft === Infinity ? 'threads unlimited' : `${tasksLeft} more threads (${tasksSource})`;
    return [{ kind: 'ok', what: `${tasks}, ${openFiles} open files` }];
  },
});

/** Threads of all processes of this user, which RLIMIT_NPROC counts. */
function tasksOfUser(): number {
  const own = process.getuid?.() ?? -1;
  let tasks = 0;
  for (const entry of entriesOf('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const status = textOf(`/proc/${entry}/status`);
    if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? -2) !== own) continue;
    tasks += Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 1);
  }
  return tasks;
}
