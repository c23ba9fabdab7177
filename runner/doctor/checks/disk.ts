import { accessSync, closeSync, constants, existsSync, openSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { freeBytesAt } from '../../preflight/memory.js';
import { textOf } from '../files.js';
import { defineCheck } from '../finding.js';
import type { Noticed } from '../finding.js';
import { diskPathsOf } from '../spec-needs.js';
import { formatBytes } from '../../text/bytes.js';

export interface FolderReading {
  readonly path: string;
  /** Why no file can be made there; '' where one can. */
  readonly fault: string;
  /** As the kernel calls it: ext4, xfs, overlay, ... */
  readonly fileSystem: string;
  readonly freeBytes: number;
  /** False: the file system refuses O_DIRECT. Null: no file could be made. */
  readonly direct: boolean | null;
}

export interface DiskReading {
  readonly folders: readonly FolderReading[];
  readonly ioUring: boolean;
}

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
    if (!statSync(path).isDirectory()) return 'is no folder';
    accessSync(path, constants.W_OK);
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'is not writable';
  }
}

/** As the disk tier opens its files; the file is gone at once. */
function triesDirect(path: string): boolean | null {
  const file = join(path, `.railrunner-doctor-${process.pid}`);
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;
  try {
    closeSync(openSync(file, flags | constants.O_DIRECT, 0o600));
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EINVAL' ? false : null;
  } finally {
    if (existsSync(file)) unlinkSync(file);
  }
}

export function readFolder(path: string): FolderReading {
  const whole = resolve(path);
  const there = nearestFolder(whole);
  const fault = faultOf(whole);
  return {
    path: whole,
    fault,
    fileSystem: fileSystemOf(there, textOf('/proc/self/mountinfo')),
    freeBytes: freeBytesAt(there),
    direct: fault === '' ? triesDirect(whole) : null,
  };
}

type Kind =
  | 'folder-unusable'
  | 'folder-not-writable'
  | 'no-direct-io'
  | 'memory-file-system'
  | 'network-file-system'
  | 'overlay'
  | 'no-io-uring';

function judgeFolder(folder: FolderReading, isSpecs: boolean): Noticed<Kind>[] {
  const { path, fault, fileSystem, direct } = folder;
  if (fault !== '')
    return [{ kind: isSpecs ? 'folder-unusable' : 'folder-not-writable', what: `${path} ${fault}` }];
  const found: Noticed<Kind>[] = [];
  const what = `${path} is on ${fileSystem}`;
  if (IN_MEMORY.test(fileSystem)) found.push({ kind: 'memory-file-system', what });
  if (OVER_NETWORK.test(fileSystem)) found.push({ kind: 'network-file-system', what });
  if (fileSystem === 'overlay') found.push({ kind: 'overlay', what });
  if (direct === false)
    found.push({ kind: 'no-direct-io', what: `${path} (${fileSystem}) refuses O_DIRECT` });
  if (found.length > 0) return found;
  return [{ kind: 'ok', what: `${path}: ${fileSystem}, O_DIRECT, ${formatBytes(folder.freeBytes)} free` }];
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
      when: 'the file system refuses O_DIRECT',
      consequence:
        "Disk tiers go through the page cache: figures are memory's as much as the disk's. disk_io says buffered.",
      remedy: 'Put pools.diskPath on ext4 or xfs of a local disk.',
    },
    'memory-file-system': {
      severity: 'warning',
      when: 'the folder lies in memory (tmpfs)',
      consequence: 'What is measured is memory, not a disk, and the files take memory away from the pools.',
      remedy: 'Put pools.diskPath on a local disk.',
    },
    'network-file-system': {
      severity: 'warning',
      when: 'the folder is on a network file system',
      consequence: 'What is measured is the file server and the way to it, shared with others.',
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
      consequence: 'Disk tiers use threads: fewer requests a second, the same bytes. disk_io says threads.',
      remedy: 'sysctl kernel.io_uring_disabled=0 (as root), or a seccomp profile that allows it.',
    },
  },
  read: ({ job }) => ({
    folders: (job ? diskPathsOf(job) : ['.']).map(readFolder),
    ioUring: !(Number(textOf('/proc/sys/kernel/io_uring_disabled')) > 0),
  }),
  judge: ({ folders, ioUring }, { job }) => {
    if (folders.length === 0) return [{ kind: 'ok', what: 'the spec uses no disk tier' }];
    const found = folders.flatMap((folder) => judgeFolder(folder, job !== null));
    if (!ioUring) found.push({ kind: 'no-io-uring', what: 'kernel.io_uring_disabled is set' });
    return found;
  },
});
