/** Errors of the operating system as Node reports them, in the classes of docs/errors.md and with what to do. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
  ESTALE: 'The network file system lost the file: remount it.',
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
 * gone, no descriptors, no space. Undefined for everything else.
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
 * could not open, remembers the package as one without, and says ERR_MODULE_NOT_FOUND of its index.js. So the file is
 * looked for without Node's resolver, which would repeat what it remembers; that takes no descriptor.
 */
function hiddenModule(error: unknown): string | undefined {
  if (codeOf(error) !== 'ERR_MODULE_NOT_FOUND' || !(error instanceof Error)) return undefined;
  const asked = /Cannot find (?:package|module) '([^']+)'/.exec(error.message)?.[1];
  if (asked === undefined) return undefined;
  const inFolder = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))/.exec(asked);
  if (inFolder?.[1] !== undefined)
    return existsSync(join(inFolder[1], 'package.json')) ? inFolder[2] : undefined;
  if (isAbsolute(asked)) return existsSync(asked) ? asked : undefined;
  return packageJsonOf(asked) === undefined ? undefined : asked;
}

/** Of the package that this module would get by its name. */
function packageJsonOf(name: string): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name, 'package.json');
    if (existsSync(path)) return path;
    if (dirname(folder) === folder) return undefined;
  }
}
