/** The limits that the kernel sets this process by itself (ulimit), and the CPUs that it may run on. */
import { systemText } from './control-groups.js';
import { namesOf, recordOf } from '../values/objects.js';

const ROWS = {
  addressSpace: 'Max address space',
  fileSize: 'Max file size',
  lockedMemory: 'Max locked memory',
  openFiles: 'Max open files',
  processes: 'Max processes',
} as const;

export type ProcessLimits = { readonly [Name in keyof typeof ROWS]: number };

/** Soft limits from the text of /proc/self/limits; Infinity: unlimited. Throws where a row is not there. */
export function parseLimits(text: string): ProcessLimits {
  return recordOf(namesOf(ROWS), (name) => {
    const row = ROWS[name];
    const soft = new RegExp(`^${row}\\s+(\\S+)`, 'm').exec(text)?.[1];
    if (soft === undefined) throw new Error(`/proc/self/limits has no line "${row}"`);
    return soft === 'unlimited' ? Infinity : Number(soft);
  });
}

export function processLimits(root = '/'): ProcessLimits {
  return parseLimits(systemText(root, '/proc/self/limits'));
}

/** Bytes of address space that this process holds. */
export function addressSpaceUsed(root = '/'): number {
  return Number(/^VmSize:\s+(\d+) kB/m.exec(systemText(root, '/proc/self/status'))?.[1] ?? 0) * 1024;
}
