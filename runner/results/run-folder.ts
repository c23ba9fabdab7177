/** results/<run-id>/: claimed once by rank 0, joined by the others, never reused. */
import { randomBytes } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RunnerError, codeOf } from '../errors.js';
import { outputError } from '../system-failure.js';

const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** UTC time and eight random hex digits: sorts by time, and two runs of one second do not meet. */
export function makeRunId(now: Date = new Date()): string {
  const stamp = now
    .toISOString()
    .replace(/[-:]/g, '')
    .replace(/\.\d+Z$/, 'Z');
  return `${stamp}-${randomBytes(4).toString('hex')}`;
}

/** Refuses with E_USAGE what would leave the output folder or trouble a shell. */
export function checkRunId(runId: string): void {
  if (RUN_ID.test(runId)) return;
  const expected = 'a letter or digit, then at most 99 letters, digits, dots, dashes or underscores';
  throw new RunnerError('E_USAGE', `--run-id: expected ${expected}; received ${JSON.stringify(runId)}`);
}

export function runExists(folder: string, cause?: unknown): RunnerError {
  const message = `${folder} is there already: choose another --run-id; nothing was overwritten`;
  return new RunnerError('E_RUN_EXISTS', message, { cause });
}

/** The folder that runs get their own folders in. Rejects with E_OUTPUT. */
export async function makeOutFolder(outFolder: string): Promise<void> {
  try {
    await makeFolder(outFolder);
  } catch (error) {
    throw outputError(`${outFolder} cannot be created`, error);
  }
}

/** Rank 0: creates the folder and returns its path. Rejects with E_RUN_EXISTS where it is there, else with E_OUTPUT. */
export async function claimRunFolder(outFolder: string, runId: string): Promise<string> {
  checkRunId(runId);
  const folder = join(outFolder, runId);
  try {
    await makeFolder(outFolder);
    await mkdir(folder);
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && (await isFolder(outFolder))) {
      throw runExists(folder, error);
    }
    throw outputError(`${folder} cannot be created`, error);
  }
  return folder;
}

/**
 * The other ranks, after rank 0 has claimed it: their host may have a file system of its own, so each makes sure of
 * the folder. What an older run left there is refused by the exclusive open of the rank's own file.
 */
export async function joinRunFolder(outFolder: string, runId: string): Promise<string> {
  checkRunId(runId);
  const folder = join(outFolder, runId);
  try {
    await makeFolder(folder);
  } catch (error) {
    throw outputError(`${folder} cannot be created`, error);
  }
  return folder;
}

/**
 * mkdir -p. Node's own recursive mkdir loops for ever where the system says ENOENT although the parent is there, as
 * /proc does.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeOne(path);
  } catch (error) {
    const parent = dirname(path);
    if (codeOf(error) !== 'ENOENT' || parent === path) throw error;
    await makeFolder(parent);
    await makeOne(path);
  }
}

/** Another rank of this host may make it at the same time. */
async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || !(await isFolder(path))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory();
}
