import { statfsSync } from 'node:fs';
import { entriesOf } from '../files.js';
import { defineCheck, type Observation } from '../finding.js';
import { counted } from '../../text/plural.js';
import { formatBytes } from '../../text/bytes.js';

export interface SharedMemoryReading {
  /** Of /dev/shm; null: there is none. */
  readonly totalBytes: number | null;
  readonly freeBytes: number;
  /** Files there that MPI, UCX and NCCL make for the time of a job. */
  readonly leftBehind: readonly string[];
}

const SHM = '/dev/shm';
/** Containers start with 64 MiB; NCCL and MPI want some tens of MiB per rank. */
const ENOUGH_BYTES = 512 * 1024 ** 2;
const JOB_FILES = /^(vader_segment\.|sm_segment\.|psm[23]?_shm\.|nccl-|ucx_shm_|mpich_shm)/;

type Kind = 'shm-missing' | 'shm-small' | 'shm-left-behind';

/** `folder`: another in tests. */
export function readSharedMemory(folder = SHM): SharedMemoryReading {
  const leftBehind = entriesOf(folder).filter((name) => JOB_FILES.test(name));
  try {
    const { blocks, bavail, bsize } = statfsSync(folder);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize, leftBehind };
  } catch {
    return { totalBytes: null, freeBytes: 0, leftBehind };
  }
}

export const sharedMemory = defineCheck<SharedMemoryReading, Kind>({
  name: 'shared-memory',
  looksAt: '/dev/shm',
  kinds: {
    'shm-missing': {
      severity: 'warning',
      when: 'there is no /dev/shm',
      consequence:
        "MPI, UCX and NCCL go over the network between ranks of this machine, or do not start. railrunner's own pools do not need it.",
      remedy: 'mount -t tmpfs tmpfs /dev/shm, or start the container with one (--ipc=host or --shm-size=8g).',
    },
    'shm-small': {
      severity: 'warning',
      when: '/dev/shm has less than 512 MiB free',
      consequence:
        "MPI and NCCL can end with a bus error or fall back to slower paths. railrunner's own pools do not need it.",
      remedy: 'Start the container with --ipc=host or --shm-size=8g; delete what ended jobs left there.',
    },
    'shm-left-behind': {
      severity: 'info',
      when: '/dev/shm holds segments of MPI, UCX or NCCL',
      consequence:
        'They belong to running jobs, or to killed ones, whose memory stays in use until they are deleted.',
      remedy: 'If no job runs here, delete them.',
    },
  },
  read: () => readSharedMemory(),
  judge: ({ totalBytes, freeBytes, leftBehind }) => {
    if (totalBytes === null) return [{ kind: 'shm-missing', what: `no ${SHM}` }];
    const found: Observation<Kind>[] = [];
    const room = `${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}`;
    found.push({ kind: freeBytes < ENOUGH_BYTES ? 'shm-small' : 'ok', what: room });
    if (leftBehind.length > 0) {
      const more = leftBehind.length > 3 ? ', ...' : '';
      const what = `${counted(leftBehind.length, 'file')}: ${leftBehind.slice(0, 3).join(', ')}${more}`;
      found.push({ kind: 'shm-left-behind', what });
    }
    return found;
  },
});
