/** A small file system around a test's body, which can be filled to the last page. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstMissing, needsProgram, needsRoot, type Missing } from './require.js';
import { withTempDir } from './with-temp-dir.js';

/** A file system of `sizeKib` KiB around the body; `filler` is a file that fills it, which the body may delete. */
export function withSmallDisk(
  sizeKib: number,
  body: (folder: string, filler: string) => Promise<void>,
): Promise<void> {
  return withTempDir(async (folder) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKib}k`, 'railrunner-test', folder]);
    if (mounted.status !== 0) throw new Error(`mount: ${mounted.stderr.toString()}`);
    try {
      await body(folder, `${folder}/filler`);
    } finally {
      spawnSync('umount', ['-l', folder]);
    }
  });
}

/** Leaves `pages` pages free. */
export function fill(filler: string, folder: string, pages: number): void {
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(filler, Buffer.alloc((bavail - pages) * bsize));
}

/** Whether a process has a file of `folder` open that has no name any more, as the disk tier has while it is in use. */
export function hasUnlinkedFile(folder: string): boolean {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.some((pid) => {
    try {
      const fds = join('/proc', pid, 'fd');
      const targets = readdirSync(fds).map((fd) => readlinkSync(join(fds, fd)));
      return targets.some((path) => path.startsWith(`${folder}/`) && path.endsWith(' (deleted)'));
    } catch {
      return false; // it has just ended, or is another user's
    }
  });
}

export function needsMount(): Missing {
  const missing = firstMissing(needsRoot(), needsProgram('mount', 'mount'));
  if (missing !== false) return missing;
  const tried = spawnSync('unshare', [
    '-m',
    'mount',
    '-t',
    'tmpfs',
    '-o',
    'size=64k',
    'railrunner-test',
    '/mnt',
  ]);
  return tried.status === 0 ? false : 'needs the right to mount a tmpfs';
}
