/** Files that appear whole or not at all: written next to their place, synced, then renamed. */
import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { outputError } from '../system-failure.js';
import { makeFolder } from '../results/run-folder.js';
import type { OutputFile } from './formats/format.js';

/**
 * Writes all files into `folder`, which is made where it is missing, and returns their paths. None takes its place before all
 * are on the disk, so that a disk that fills up leaves an older report as it was. Rejects with E_OUTPUT.
 */
export async function writeFiles(folder: string, files: readonly OutputFile[]): Promise<string[]> {
  const written: { readonly partial: string; readonly path: string }[] = [];
  try {
    await makeFolder(folder);
    for (const { name, text } of files) {
      const path = join(folder, name);
      const partial = `${path}.partial-${process.pid}`;
      written.push({ partial, path });
      await writeSynced(partial, text);
    }
    for (const { partial, path } of written) await rename(partial, path);
  } catch (error) {
    await Promise.all(written.map(({ partial }) => unlink(partial).catch(() => undefined)));
    throw outputError(`the report cannot be written to ${folder}`, error);
  }
  return written.map(({ path }) => path);
}

async function writeSynced(path: string, text: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'w', 0o644);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle?.close();
  }
}
