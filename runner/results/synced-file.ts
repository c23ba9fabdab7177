/** Small files that outlast a loss of power. */
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { outputError } from '../system-failure.js';
import { codeOf } from '../errors.js';

/** Waits for the disk have no limit. A new promise each time: one that never settles keeps all that wait for it in memory. */
export const notHurried = (): Promise<never> => new Promise(() => undefined);

/** Writes and syncs the whole file and its name; `hurried` ends every wait for the disk. Rejects with E_OUTPUT. */
export async function writeSynced(path: string, text: string, hurried: Promise<void>): Promise<void> {
  try {
    const handle = await open(path, 'w', 0o644);
    let written = false;
    try {
      await handle.writeFile(text);
      written = true;
      await Promise.race([handle.sync(), hurried]);
    } finally {
      // It waits for a sync in flight.
      const closed = handle.close();
      await (written ? Promise.race([closed, hurried]) : closed);
    }
    await Promise.race([syncFolder(dirname(path)), hurried]);
  } catch (error) {
    throw outputError(`${path} cannot be written`, error);
  }
}

/** Makes names durable; file systems that cannot sync a folder say EINVAL and are taken at their word. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    /* v8 ignore next -- failing disk */
    if (codeOf(error) !== 'EINVAL') throw error;
  } finally {
    await handle.close();
  }
}
