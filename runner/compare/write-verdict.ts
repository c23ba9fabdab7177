/** The verdict as a file, whole or not at all, before the process says how it went. */
import { rename, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { outputError } from '../system-failure.js';
import { makeFolder } from '../results/run-folder.js';
import { countWords, exitOfVerdict, type Verdict } from './verdict.js';

/** Rejects with E_OUTPUT; an older file then stays as it was. */
export async function writeVerdict(path: string, verdict: Verdict): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  const json = {
    version: 1,
    exitStatus: exitOfVerdict(verdict),
    counts: countWords(verdict.keys),
    ...verdict,
  };
  try {
    await makeFolder(dirname(path));
    await writeFile(partial, `${JSON.stringify(json, null, 2)}\n`, { flush: true });
    await rename(partial, path);
  } catch (error) {
    await unlink(partial).catch(() => undefined);
    throw outputError(`${path} cannot be written`, error);
  }
}
