/** Whether the spec fits this machine, asked before anything is allocated. */
import { formatBytes } from '../text/bytes.js';
import { counted } from '../text/plural.js';
import { statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { JobKind } from '../job/kind.js';
import type { PlanPlace, PointNeed } from '../job-spec/spec-kind.js';
import type { World } from '../world/world.js';
import type { DeviceKindName, DeviceProperties, WorldInfo } from '../native/types/index.js';
import { RunnerError } from '../errors.js';
import { memoryLimits, systemText } from './control-groups.js';
import { addressSpaceUsed, processLimits } from './process-limits.js';
import type { ResolvedSpec } from '../job-spec/types.js';
import { present, valueOf } from '../values/items.js';

/** Share of the free memory that a run may take: the rest is Node, MPI and the page tables of the pools. */
const USABLE_SHARE = 0.9;

/** Memory that ranks share: the machine's, or a control group's. */
export interface MemoryShare {
  readonly key: string;
  /** What limits it, for messages: MemAvailable, or the file of a control group. */
  readonly source: string;
  readonly bytes: number;
}

export interface Need {
  readonly host: number;
  readonly memoryBytes: number;
  readonly deviceBytes: number;
  readonly diskBytes: number;
  readonly diskPath: string;
  /** What this rank may take of, with others that name the same key. */
  readonly memory: readonly MemoryShare[];
  /** Left of RLIMIT_AS, which is a process's own. */
  readonly addressSpaceBytes: number;
  /** RLIMIT_FSIZE. */
  readonly fileSizeBytes: number;
  readonly freeDeviceBytes: number;
  readonly freeDiskBytes: number;
}

/** What this rank needs. Throws what a kind's plan throws: it may read files that the spec names, and miss them on one host. */
export function ownNeed(
  spec: ResolvedSpec,
  kinds: ReadonlyMap<string, JobKind>,
  { worldSize, rank, host, hostSize }: WorldInfo,
  device: DeviceProperties,
): Need {
  const place = { worldSize, rank, ranksPerNode: spec.ranksPerNode || hostSize };
  return needOf(spec, kinds, place, host, device);
}

/** Throws E_MEMORY_FIT, the same on all ranks, naming the host, the need and what is there. Collective. */
export async function checkCapacity(
  world: World,
  own: Need,
  device: DeviceKindName,
  timeoutMs: number,
): Promise<void> {
  const needs = await world.allgatherJson(own, timeoutMs);
  const issues = fitIssues(needs, device);
  if (issues.length > 0) {
    throw new RunnerError(
      'E_MEMORY_FIT',
      `the spec does not fit this machine: ${issues.join('; ')}. Use fewer blocks or tokens, smaller pools, or fewer ranks per host; \`railrunner plan\` shows each point's need`,
    );
  }
}

/** One sentence for each thing that does not fit; `needs` by rank. */
export function fitIssues(needs: readonly Need[], device: DeviceKindName): string[] {
  const issues: string[] = [];
  for (const host of new Set(needs.map((n) => n.host))) {
    const here = needs.filter((n) => n.host === host);
    issues.push(...memoryIssues(host, here), ...diskIssues(host, here));
  }
  for (const [rank, need] of needs.entries()) {
    issues.push(...ownLimitIssues(rank, need));
    if (device === 'cuda' && need.deviceBytes > need.freeDeviceBytes * USABLE_SHARE) {
      issues.push(
        `rank ${rank}: needs ${formatBytes(need.deviceBytes)} of GPU memory, ${formatBytes(need.freeDeviceBytes)} are free`,
      );
    }
  }
  return issues;
}

/** One sentence for the share that is furthest from enough. */
function memoryIssues(host: number, here: readonly Need[]): string[] {
  const shares = new Map<string, { source: string; bytes: number; neededBytes: number; ranks: number }>();
  for (const { memory, memoryBytes } of here) {
    for (const { key, source, bytes } of memory) {
      const share = shares.get(key) ?? { source, bytes, neededBytes: 0, ranks: 0 };
      shares.set(key, {
        source,
        bytes: Math.min(share.bytes, bytes),
        neededBytes: share.neededBytes + memoryBytes,
        ranks: share.ranks + 1,
      });
    }
  }
  const [worst] = [...shares.values()]
    .filter(({ bytes, neededBytes }) => neededBytes > bytes * USABLE_SHARE)
    .toSorted((left, right) => left.bytes - right.bytes);
  if (worst === undefined) return [];
  const { ranks, neededBytes, bytes, source } = worst;
  const need = `${counted(ranks, 'rank')} need${ranks === 1 ? 's' : ''} ${formatBytes(neededBytes)} of memory`;
  return [`host ${host}: ${need}, ${formatBytes(bytes)} are available (${source})`];
}

/** What the kernel limits for each process by itself. */
function ownLimitIssues(rank: number, need: Need): string[] {
  const issues: string[] = [];
  if (need.memoryBytes > need.addressSpaceBytes * USABLE_SHARE) {
    const left = formatBytes(need.addressSpaceBytes);
    issues.push(
      `rank ${rank}: needs ${formatBytes(need.memoryBytes)} of memory, ${left} of address space are left (ulimit -v, RLIMIT_AS)`,
    );
  }
  if (need.diskBytes > need.fileSizeBytes) {
    const most = formatBytes(need.fileSizeBytes);
    issues.push(
      `rank ${rank}: needs a file of ${formatBytes(need.diskBytes)} in ${need.diskPath}, files may have ${most} (ulimit -f, RLIMIT_FSIZE)`,
    );
  }
  return issues;
}

function diskIssues(host: number, here: readonly Need[]): string[] {
  const issues: string[] = [];
  for (const path of new Set(here.map((n) => n.diskPath).filter((p) => p !== ''))) {
    const users = here.filter((n) => n.diskPath === path);
    const needed = users.reduce((sum, n) => sum + n.diskBytes, 0);
    const free = Math.min(...users.map((n) => n.freeDiskBytes));
    if (needed > free)
      issues.push(
        `host ${host}: ${users.length} ranks need ${formatBytes(needed)} in ${path}, ${formatBytes(free)} are free`,
      );
  }
  return issues;
}

/** The most that a rank needs of each tier while a point runs, and what its host has. */
export function needOf(
  spec: ResolvedSpec,
  kinds: ReadonlyMap<string, JobKind>,
  place: Omit<PlanPlace, 'device'>,
  host: number,
  device: Pick<DeviceProperties, 'kind' | 'freeBytes'>,
): Need {
  let memoryBytes = 0;
  let deviceBytes = 0;
  let diskBytes = 0;
  let diskPath = '';
  for (const point of spec.points) {
    const kind = valueOf(kinds, point.job.kind);
    const at = { ...place, device: device.kind };
    const need = kind.need?.(point, at) ?? kind.plan(point, at);
    memoryBytes = Math.max(memoryBytes, hostBytes(need, device));
    deviceBytes = Math.max(deviceBytes, need.memoryBytes.device);
    if (need.memoryBytes.disk > diskBytes) {
      diskBytes = need.memoryBytes.disk;
      diskPath = resolve(present(need.diskPath, 'diskPath of a plan with disk bytes'));
    }
  }
  return {
    host,
    memoryBytes,
    deviceBytes,
    diskBytes,
    diskPath,
    memory: memoryShares(),
    ...ownLimits(),
    freeDeviceBytes: device.freeBytes,
    freeDiskBytes: diskPath === '' ? 0 : freeBytesAt(diskPath),
  };
}

/** What crosses ranks as JSON has no Infinity. */
function ownLimits(): Pick<Need, 'addressSpaceBytes' | 'fileSizeBytes'> {
  const { addressSpace, fileSize } = processLimits();
  const finite = (bytes: number): number => Math.min(bytes, Number.MAX_SAFE_INTEGER);
  return {
    addressSpaceBytes: Math.max(0, finite(addressSpace) - addressSpaceUsed()),
    fileSizeBytes: finite(fileSize),
  };
}

/** On the host device the device tier lies in the same memory. */
function hostBytes(need: PointNeed, device: Pick<DeviceProperties, 'kind'>): number {
  return need.memoryBytes.host + (device.kind === 'host' ? need.memoryBytes.device : 0);
}

/** MemAvailable and the limit of every control group above this process. `root`: another tree in tests. */
function memoryShares(root = '/'): MemoryShare[] {
  const match = /^MemAvailable:\s+(\d+) kB/m.exec(systemText(root, '/proc/meminfo'));
  const machine = match ? Number(match[1]) * 1024 : Number.MAX_SAFE_INTEGER;
  return [
    { key: 'machine', source: 'MemAvailable', bytes: machine },
    ...memoryLimits(root).map(({ source, key, limit, used }) => {
      return { key, source, bytes: Math.max(0, limit - used) };
    }),
  ];
}

/** The share that binds: what this process's host has for all ranks, and what sets it. */
export function availableMemory(root = '/'): MemoryShare {
  return memoryShares(root).reduce((least, share) => (share.bytes < least.bytes ? share : least));
}

/** Free bytes of the file system that holds the path, or its nearest parent that exists. */
export function freeBytesAt(path: string): number {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const stats = statfsSync(folder);
      return stats.bavail * stats.bsize;
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
}
