/** Reading the kernel's files. What is not there is an answer too. */
import { readFileSync, readdirSync } from 'node:fs';

/** '' where there is no such file or it may not be read. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Sorted; empty where there is no such folder. */
export function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** The kernel's list format: "0-3,8" -> [0, 1, 2, 3, 8]. */
export function parseList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/** CPUs that a process may run on, in ascending order; "self" is this one. */
export function allowedCpus(pid = 'self'): number[] {
  return parseList(statusLine(pid, 'Cpus_allowed_list'));
}

/** CPUs that the process which started this one may run on; empty where it cannot be asked. */
export function launcherCpus(): number[] {
  return allowedCpus(statusLine('self', 'PPid'));
}

function statusLine(pid: string, name: string): string {
  return new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(textOf(`/proc/${pid}/status`))?.[1] ?? '';
}
