/**
 * The control groups of this process and what they allow. A limit holds for every group from the process's own up to
 * the root of its hierarchy: Slurm, systemd and containers set theirs at a parent. cgroup v2 has one hierarchy, v1 one
 * per controller; both can be mounted at once. native/device/host/memory_limit.cc reads memory by the same rules.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

type Controller = 'memory' | 'pids' | 'cpu';

export interface ControlGroup {
  readonly version: 1 | 2;
  /** Folder in the file system, without the root that a test hands in. */
  readonly folder: string;
}

/** A text file below `root`; '' where there is none, or it may not be read. */
export function systemText(root: string, path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return '';
  }
}

/** mountinfo writes blanks in paths as \040. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

interface Mount {
  readonly version: 1 | 2;
  /** Which folder of the hierarchy the mount shows. */
  readonly shown: string;
  readonly point: string;
}

/** "36 35 98:0 /shown /point rw,noatime master:1 - cgroup2 source rw". */
function mountsOf(root: string, controller: Controller): Mount[] {
  const found: Mount[] = [];
  for (const line of systemText(root, '/proc/self/mountinfo').split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [type, , options = ''] = right.split(' ');
    const isV1 = type === 'cgroup' && options.split(',').includes(controller);
    if (type !== 'cgroup2' && !isV1) continue;
    const [, , , shown = '/', point = ''] = left.split(' ').map(unescaped);
    found.push({ version: isV1 ? 1 : 2, shown, point });
  }
  return found;
}

/** Path of the process's group in its hierarchy: "0::/user.slice" (v2), "7:memory,hugetlb:/job" (v1). */
function groupPath(root: string, version: 1 | 2, controller: Controller): string | undefined {
  for (const line of systemText(root, '/proc/self/cgroup').split('\n')) {
    const [, id, controllers = '', path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    const isOurs =
      version === 2 ? id === '0' && controllers === '' : controllers.split(',').includes(controller);
    if (isOurs) return path;
  }
  return undefined;
}

/** The part of `path` below the folder that a mount shows; '' where it lies outside (a cgroup namespace). */
function insideOf(path: string, shown: string): string {
  if (path === '/' || path.startsWith('/..')) return '';
  if (shown === '/') return path;
  return path.startsWith(`${shown}/`) ? path.slice(shown.length) : '';
}

/** The process's groups of that controller, its own first, every parent after it. */
export function controlGroups(controller: Controller, root = '/'): ControlGroup[] {
  const groups: ControlGroup[] = [];
  for (const { version, shown, point } of mountsOf(root, controller)) {
    const path = groupPath(root, version, controller);
    if (path === undefined) continue;
    for (let inside = insideOf(path, shown); ; inside = inside.slice(0, inside.lastIndexOf('/'))) {
      groups.push({ version, folder: `${point}${inside}` });
      if (inside === '') break;
    }
  }
  return groups;
}

/** v1 says "no limit" as the largest number of pages that it can count. */
const NO_LIMIT_OF_V1 = 2 ** 62;

function limitIn(root: string, path: string): number {
  const text = systemText(root, path).trim();
  const limit = /^\d+$/.test(text) ? Number(text) : Infinity; // "max", or no such file
  return limit >= NO_LIMIT_OF_V1 ? Infinity : limit;
}

/** One group's limit of a resource, and what its processes hold of it. */
export interface GroupLimit {
  /** The file that sets it. */
  readonly source: string;
  /** Tells groups of equal names in different containers of a host apart. */
  readonly key: string;
  readonly limit: number;
  readonly used: number;
}

interface Files {
  readonly limits: readonly string[];
  readonly used: string;
}

const MEMORY_FILES: Readonly<Record<1 | 2, Files>> = {
  1: { limits: ['memory.limit_in_bytes'], used: 'memory.usage_in_bytes' },
  // Above memory.high the kernel slows the group's processes until they hardly run.
  2: { limits: ['memory.max', 'memory.high'], used: 'memory.current' },
};
const PID_FILES: Files = { limits: ['pids.max'], used: 'pids.current' };

function groupLimits(
  root: string,
  controller: 'memory' | 'pids',
  filesOf: (version: 1 | 2) => Files,
  reclaimable: (group: ControlGroup) => number,
): GroupLimit[] {
  return controlGroups(controller, root).flatMap((group) => {
    const { limits, used } = filesOf(group.version);
    return limits.flatMap((name) => {
      const source = join(group.folder, name);
      const limit = limitIn(root, source);
      if (limit === Infinity) return [];
      const held = limitIn(root, join(group.folder, used));
      const holds = held === Infinity ? 0 : Math.max(0, held - reclaimable(group));
      return [{ source, key: `${source} ${inodeOf(root, group.folder)}`, limit, used: holds }];
    });
  });
}

function inodeOf(root: string, folder: string): string {
  const found = statSync(join(root, folder), { throwIfNoEntry: false });
  return `${found?.dev}:${found?.ino}`;
}

/** Limits of memory in bytes, page cache and reclaimable slab not counted as used. */
export function memoryLimits(root = '/'): GroupLimit[] {
  return groupLimits(
    root,
    'memory',
    (version) => MEMORY_FILES[version],
    (group) => cacheOf(root, group),
  );
}

function cacheOf(root: string, { version, folder }: ControlGroup): number {
  // v1 counts a group without its children under the plain names, and with its children under total_.
  const names =
    version === 1
      ? ['total_inactive_file', 'total_active_file']
      : ['inactive_file', 'active_file', 'slab_reclaimable'];
  const stat = systemText(root, join(folder, 'memory.stat'));
  const value = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
  return names.reduce((sum, name) => sum + value(name), 0);
}

/** Limits of tasks: every thread of every process is one. */
export function taskLimits(root = '/'): GroupLimit[] {
  return groupLimits(
    root,
    'pids',
    () => PID_FILES,
    () => 0,
  );
}

/** The smallest share of CPU time that a group allows, in cores; null: no limit. */
export function cpuQuota(root = '/'): { readonly cores: number; readonly source: string } | null {
  let least: { cores: number; source: string } | null = null;
  for (const { version, folder } of controlGroups('cpu', root)) {
    const source = join(folder, version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us');
    const period = version === 2 ? '' : systemText(root, join(folder, 'cpu.cfs_period_us'));
    const cores = parseQuota(`${systemText(root, source).trim()} ${period}`);
    if (cores !== null && cores < (least?.cores ?? Infinity)) least = { cores, source };
  }
  return least;
}

/** "max 100000", "200000 100000", "-1 100000": time and period; null: no limit. */
export function parseQuota(text: string): number | null {
  const [time = '', period = ''] = text.trim().split(/\s+/);
  return /^\d+$/.test(time) && Number(period) > 0 ? Number(time) / Number(period) : null;
}
