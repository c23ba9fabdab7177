/** Errors of the operating system as Node reports them, in the classes of docs/errors.md and with what to do. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { codeOf, RunnerError } from './errors.js';

const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'Free space or inodes there, or name another folder by --out.',
  EDQUOT: 'The quota is used up: free space there, or name another folder by --out.',
  EROFS: 'The file system is read-only: name another folder by --out.',
  EACCES: 'Check the permissions, or name another folder by --out.',
  EPERM: 'Check the permissions, or name another folder by --out.',
  EMFILE: 'Raise the limit of open files (ulimit -n).',
  ENFILE: 'The host has too many open files.',
  EIO: 'The device fails: look at the kernel log.',
  ESTALE: 'The network file system lost the file: mount it anew.',
};

/** E_OUTPUT for a file that cannot be written: which one, the system's own words, and what to do. */
export function outputError(what: string, cause: unknown): RunnerError {
  const remedy = REMEDIES[codeOf(cause) ?? ''] ?? 'Free space, or name another folder by --out.';
  return new RunnerError('E_OUTPUT', `${what}: ${wordsOf(cause)}. ${remedy}`, { cause });
}

/** "ENOSPC: no space left on device, write": the code always stands in it. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error) ?? '';
  return error.message.includes(code) ? error.message : `${code}: ${error.message}`;
}

/**
 * What ended the process, where it is the operating system's doing and no fault of the code: a working folder that is
 * gone, no descriptors, no room. Undefined for everything else.
 */
export function knownSystemFailure(error: unknown): RunnerError | undefined {
  if (error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd') {
    return new RunnerError('E_OUTPUT', 'the working folder is gone or not readable. Change to another one.', {
      cause: error,
    });
  }
  const hidden = hiddenModule(error);
  if (hidden !== undefined) {
    const message = `the system refused a file: Node did not find ${hidden}, which is there: EMFILE, too many open files. ${REMEDIES['EMFILE']}`;
    return new RunnerError('E_OUTPUT', message, { cause: error });
  }
  if (REMEDIES[codeOf(error) ?? ''] === undefined) return undefined;
  return outputError('the system refused a file', error);
}

/**
 * The module or package that Node says is not there although it is: Node 20 drops the EMFILE of a package.json that it
 * could not open and says ERR_MODULE_NOT_FOUND.
 */
function hiddenModule(error: unknown): string | undefined {
  if (codeOf(error) !== 'ERR_MODULE_NOT_FOUND' || !(error instanceof Error)) return undefined;
  const path = /Cannot find (?:package|module) '([^']+)'/.exec(error.message)?.[1];
  if (path === undefined) return undefined;
  const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
  if (name === undefined) return existsSync(path) ? path : undefined;
  try {
    createRequire(import.meta.url).resolve(name);
    return name;
  } catch {
    return undefined;
  }
}
