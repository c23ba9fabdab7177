import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { addon } from '../../native/binding.js';
import type { StorageProbe } from '../../native/types/index.js';
import { freeBytesAt } from '../../preflight/memory.js';
import { textOf } from '../files.js';
import { defineCheck, type Observation } from '../finding.js';
import { diskPathsOf } from '../spec-needs.js';
import { formatBytes } from '../../text/bytes.js';
import { codeOf, messageOf } from '../../errors.js';

export interface FolderReading {
  readonly path: string;
  /** Why no file can be made there; '' where one can. */
  readonly fault: string;
  /** As the kernel calls it: ext4, xfs, overlay, ... */
  readonly fileSystem: string;
  readonly freeBytes: number;
  /** How its files are driven; null where no file could be made, or there is no addon to ask. */
  readonly io: StorageProbe | null;
}

export interface DiskReading {
  readonly folders: readonly FolderReading[];
}

/** What disk.queueDepth is where a spec does not say it. */
const QUEUE_DEPTH = 32;

const IN_MEMORY = /^(tmpfs|ramfs|devtmpfs)$/;
const OVER_NETWORK = /^(nfs\d?|cifs|smb3|lustre|ceph|gpfs|beegfs|9p|virtiofs|fuse\..*|afs|wekafs)$/;

/** Type of the file system of an absolute path: the longest mount point that leads to it, the last mounted. */
export function fileSystemOf(path: string, mountinfo: string): string {
  let best = { length: -1, type: 'unknown' };
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = (before.split(' ')[4] ?? '').replace(/\\040/g, ' ');
    if (point === '') continue;
    const leads = point === '/' || path === point || path.startsWith(`${point}/`);
    if (leads && point.length >= best.length)
      best = { length: point.length, type: after.split(' ')[0] ?? '' };
  }
  return best.type;
}

function nearestFolder(path: string): string {
  let folder = path;
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** Why no pool's file can be made in the folder, or ''. */
function faultOf(path: string): string {
  try {
    if (!statSync(path).isDirectory()) return 'is not a folder';
    accessSync(path, constants.W_OK);
    return '';
  } catch (error) {
    const code = codeOf(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : `is not writable (${code})`;
  }
}

/** Opens a disk tier's file and queue there, as a run would; null where that cannot be asked. */
async function driveAt(path: string, canAsk: boolean): Promise<StorageProbe | string | null> {
  if (!canAsk) return null;
  try {
    return await addon().probeStorage(path, QUEUE_DEPTH);
  } catch (error) {
    return messageOf(error);
  }
}

async function readFolder(path: string, canAsk: boolean): Promise<FolderReading> {
  const whole = resolve(path);
  const there = nearestFolder(whole);
  const fault = faultOf(whole);
  const drive = fault === '' ? await driveAt(whole, canAsk) : null;
  return {
    path: whole,
    fault: typeof drive === 'string' ? `takes no file: ${drive}` : fault,
    fileSystem: fileSystemOf(there, textOf('/proc/self/mountinfo')),
    freeBytes: freeBytesAt(there),
    io: typeof drive === 'string' ? null : drive,
  };
}

type Kind =
  | 'folder-unusable'
  | 'folder-not-writable'
  | 'no-direct-io'
  | 'direct-io-unconfirmed'
  | 'memory-file-system'
  | 'network-file-system'
  | 'overlay'
  | 'no-io-uring';

function judgeFolder(folder: FolderReading, isSpecs: boolean): Observation<Kind>[] {
  const { path, fault, fileSystem, io } = folder;
  if (fault !== '')
    return [{ kind: isSpecs ? 'folder-unusable' : 'folder-not-writable', what: `${path} ${fault}` }];
  const found: Observation<Kind>[] = [];
  const what = `${path} is on ${fileSystem}`;
  if (IN_MEMORY.test(fileSystem)) found.push({ kind: 'memory-file-system', what });
  if (OVER_NETWORK.test(fileSystem)) found.push({ kind: 'network-file-system', what });
  if (fileSystem === 'overlay') found.push({ kind: 'overlay', what });
  const why = `${path} (${fileSystem}): ${io?.directReason}`;
  if (io?.direct === 'buffered') found.push({ kind: 'no-direct-io', what: why });
  if (io?.direct === 'unconfirmed') found.push({ kind: 'direct-io-unconfirmed', what: why });
  if (found.length === 0) {
    const drive = io === null ? 'not tried' : io.diskIo;
    found.push({
      kind: 'ok',
      what: `${path}: ${fileSystem}, ${drive}, ${formatBytes(folder.freeBytes)} free`,
    });
  }
  if (io !== null && io.ringRefusal !== '')
    found.push({ kind: 'no-io-uring', what: `${path}: ${io.ringRefusal}` });
  return found;
}

export const disk = defineCheck<DiskReading, Kind>({
  name: 'disk',
  looksAt: "the folders of the spec's disk tiers; without a spec, the current folder",
  kinds: {
    'folder-unusable': {
      severity: 'blocks',
      when: "no file can be made in a folder of the spec's disk tiers",
      consequence: 'Every point with a disk tier fails (E_IO).',
      remedy: 'Make the folder, give its owner the right to write, or name another: pools.diskPath.',
    },
    'folder-not-writable': {
      severity: 'warning',
      when: 'no file can be made in the current folder',
      consequence: 'Results and disk tiers cannot be written here.',
      remedy: 'Use --out for results, and pools.diskPath for disk tiers.',
    },
    'no-direct-io': {
      severity: 'warning',
      when: 'the file system refuses O_DIRECT, or accepts and ignores it (statx, STATX_DIOALIGN)',
      consequence:
        "Disk tiers go through the page cache: figures are memory's as much as the disk's. disk_io says buffered.",
      remedy: 'Put pools.diskPath on ext4 or xfs of a local disk.',
    },
    'direct-io-unconfirmed': {
      severity: 'info',
      when: 'the file system accepts O_DIRECT, and neither it nor the kernel says whether it takes effect',
      consequence: 'disk_io says unconfirmed: figures may be those of the page cache.',
      remedy:
        'Compare with the raw device (fio --direct=1), or put pools.diskPath on ext4 or xfs under Linux 6.1 or newer.',
    },
    'memory-file-system': {
      severity: 'warning',
      when: 'the folder lies in memory (tmpfs)',
      consequence: 'Memory is measured, not a disk, and the files take memory away from the pools.',
      remedy: 'Put pools.diskPath on a local disk.',
    },
    'network-file-system': {
      severity: 'warning',
      when: 'the folder is on a network file system',
      consequence: 'The file server and the network are measured, both shared with others.',
      remedy: 'Put pools.diskPath on a local disk, unless the file server is what you want to measure.',
    },
    overlay: {
      severity: 'warning',
      when: "the folder is on a container's overlay",
      consequence:
        'Files go through the overlay and share its disk with images; some direct paths hang or fall back.',
      remedy: 'Mount a folder of a local disk into the container and name it: pools.diskPath.',
    },
    'no-io-uring': {
      severity: 'info',
      when: 'the kernel refuses io_uring',
      consequence: 'Disk tiers use threads: fewer requests per second, the same bytes. disk_io says threads.',
      remedy:
        'By its reason: sysctl kernel.io_uring_disabled=0 (as root), a seccomp profile that allows it, or a larger limit of locked memory (ulimit -l).',
    },
  },
  read: async ({ job, probes }) => ({
    folders: await Promise.all(
      (job ? diskPathsOf(job) : ['.']).map((path) => readFolder(path, probes.build !== null)),
    ),
  }),
  judge: ({ folders }, { job }) => {
    if (folders.length === 0) return [{ kind: 'ok', what: 'the spec uses no disk tier' }];
    return folders.flatMap((folder) => judgeFolder(folder, job !== null));
  },
});
