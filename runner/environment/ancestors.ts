/** What /proc shows of the launcher above this process. */
import { fstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { ProcessFacts } from './launcher-claims.js';

type AncestorKind = NonNullable<ProcessFacts['ancestor']>['kind'];

/** The kernel keeps 15 characters of a process's name. */
const KINDS: readonly [RegExp, AncestorKind][] = [
  [/^hydra_pmi_proxy$|^hydra_bstrap/, 'mpich'],
  [/^(mpirun|mpiexec)(\.openmpi)?$|^orterun$|^orted$|^prterun$|^prted$|^prte$/, 'openmpi'],
  [/^slurmstepd$/, 'slurm'],
  [/^flux-shell$/, 'flux'],
];
/** Inode of the machine's own process namespace (PROC_PID_INIT_INO): Linux gives it a fixed number. */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';
const MAX_DEPTH = 64;

interface ProcessStatus {
  readonly name: string;
  readonly parent: number;
}

function statusOf(pid: number): ProcessStatus | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const name = /^Name:\t(.*)$/m.exec(text)?.[1] ?? '';
    return { name, parent: Number(/^PPid:\t(\d+)$/m.exec(text)?.[1] ?? 0) };
  } catch {
    /* v8 ignore next -- another machine */
    return null;
  }
}

export interface Ancestry {
  readonly ancestor: ProcessFacts['ancestor'];
  /** The launcher itself started this process, with no shell or wrapper between them. */
  readonly isParent: boolean;
  /** The walk reached process 1. */
  readonly isWhole: boolean;
}

function readAncestry(): Ancestry {
  let pid = process.ppid;
  for (let depth = 0; depth < MAX_DEPTH && pid > 0; depth += 1) {
    const status = statusOf(pid);
    /* v8 ignore next -- another machine */
    if (!status) return { ancestor: null, isParent: false, isWhole: false };
    const kind = KINDS.find(([pattern]) => pattern.test(status.name))?.[1];
    if (kind) return { ancestor: { kind, name: status.name }, isParent: depth === 0, isWhole: true };
    pid = status.parent;
  }
  return { ancestor: null, isParent: false, isWhole: true };
}

export function readProcessFacts(): ProcessFacts {
  const { ancestor, isWhole } = readAncestry();
  return {
    ancestor,
    seesAll: isWhole && isFirstNamespace(),
    isSocket: (descriptor) => {
      try {
        return fstatSync(descriptor).isSocket();
      } catch {
        return false;
      }
    },
    isFolder: (path) => {
      try {
        return statSync(path).isDirectory();
      } catch {
        return false;
      }
    },
  };
}

function isFirstNamespace(): boolean {
  try {
    return readlinkSync('/proc/self/ns/pid') === FIRST_PID_NAMESPACE;
  } catch {
    /* v8 ignore next -- another machine */
    return false;
  }
}
