/** Errors of the operating system as Node reports them, in the classes of docs/errors.md and with what to do. */
import { RunnerError } from './errors.js';

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

/** E_OUTPUT with the system's own words; `what` says which file, and that it cannot be had. */
export function systemFailure(error: unknown, what: string): RunnerError {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  const remedy = REMEDIES[code] ?? '';
  return new RunnerError('E_OUTPUT', `${what}: ${message}. ${remedy}`.trim(), { cause: error });
}

/**
 * What ended the process, where it is the operating system's doing and no fault of the code: a working folder that is
 * gone, no descriptors, no room. Undefined for everything else.
 */
export function knownSystemFailure(error: unknown): RunnerError | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'uv_cwd' || syscall === 'process.cwd') {
    return new RunnerError('E_OUTPUT', 'the working folder is gone or not readable. Change to another one.', {
      cause: error,
    });
  }
  if (code === undefined || REMEDIES[code] === undefined) return undefined;
  return systemFailure(error, 'the system refused a file');
}
