import { processLimits } from '../../preflight/process-limits.js';
import { tasksLeft } from '../../preflight/tasks.js';
import { formatBytes } from '../../text/bytes.js';
import { defineCheck, type Observation } from '../finding.js';

export interface LimitsReading {
  /** Threads that may still be made; Infinity: no limit. */
  readonly tasksLeft: number;
  /** What sets that: a control group's pids.max, RLIMIT_NPROC, or the kernel. */
  readonly tasksSource: string;
  readonly openFiles: number;
  readonly addressSpaceBytes: number;
  readonly fileSizeBytes: number;
}

/** Node starts with 11 threads; MPI, UCX, the worker thread, copy and disk threads and proxies come on top. */
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
      consequence: 'MPI, network connections or pools of a rank fail for lack of descriptors (EMFILE).',
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
    const { openFiles, addressSpace, fileSize } = processLimits();
    const left = tasksLeft();
    return {
      tasksLeft: left.tasks,
      tasksSource: left.source,
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
