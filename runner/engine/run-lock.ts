/** One run at a time in a folder: each rank holds a byte of `run.lock` as long as its process lives. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RunnerError } from '../errors.js';
import { outputError } from '../system-failure.js';
import type { NativeAddon } from '../native/types/index.js';

export const LOCK_FILE = 'run.lock';
/** Ranks of a run that was killed may outlive it: they leave once they notice, within a heartbeat's 15 s. */
const PATIENCE_MS = 20_000;
const RETRY_MS = 200;

/** Kept until the process ends. Rejects with E_RESUME where that rank of an earlier start still runs, with E_OUTPUT where the file cannot be made. */
export async function lockRun(
  addon: Pick<NativeAddon, 'lockByte'>,
  folder: string,
  rank: number,
  patienceMs = PATIENCE_MS,
): Promise<'held' | 'unsupported'> {
  const path = join(folder, LOCK_FILE);
  const endsAt = performance.now() + patienceMs;
  for (;;) {
    const lock = await addon.lockByte(path, rank).catch((error: unknown) => {
      // A folder without space for the lock has none for rows either.
      throw outputError(`${path} cannot be made`, error);
    });
    if (lock !== 'taken') return lock;
    if (performance.now() > endsAt) break;
    await sleep(RETRY_MS);
  }
  throw new RunnerError(
    'E_RESUME',
    `${folder}: this run still goes on: another process is its rank ${rank} and holds ${LOCK_FILE}; ` +
      'wait for its end, or end it first',
  );
}

/** At the end of a run, by rank 0: the folder then holds only results. Where it is not done, the next start takes it over. */
export async function removeLock(folder: string): Promise<void> {
  await rm(join(folder, LOCK_FILE), { force: true });
}
