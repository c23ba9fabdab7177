/** Whether the spec fits this machine, asked before anything is allocated. */
import { formatBytes } from '../text/bytes.js';
import { readFileSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { JobKind } from '../job/kind.js';
import type { PlanPlace, PointPlan } from '../job-spec/spec-kind.js';
import type { World } from '../world/world.js';
import type { DeviceKindName, DeviceProperties } from '../native/types/index.js';
import { RunnerError } from '../errors.js';
import type { ResolvedSpec } from '../job-spec/types.js';

/** Share of the free memory that a run may take: the rest is Node, MPI and the page tables of the pools. */
const USABLE_SHARE = 0.9;

export interface Need {
  readonly host: number;
  readonly memoryBytes: number;
  readonly deviceBytes: number;
  readonly diskBytes: number;
  readonly diskPath: string;
  readonly availableMemoryBytes: number;
  readonly freeDeviceBytes: number;
  readonly freeDiskBytes: number;
}

/** Throws E_MEMORY_FIT, the same on all ranks, naming the host, the need and what is there. Collective. */
export async function refuseWhatCannotFit(
  spec: ResolvedSpec,
  kinds: ReadonlyMap<string, JobKind>,
  world: World,
  device: DeviceProperties,
  timeoutMs: number,
): Promise<void> {
  const place = {
    worldSize: world.info.worldSize,
    rank: world.info.rank,
    ranksPerNode: spec.ranksPerNode || world.info.hostSize,
  };
  const needs = await world.allgatherJson(needOf(spec, kinds, place, world.info.host, device), timeoutMs);
  const faults = fitFaults(needs, device.kind);
  if (faults.length > 0) {
    throw new RunnerError(
      'E_MEMORY_FIT',
      `the spec does not fit this machine: ${faults.join('; ')}. Use fewer blocks or tokens, smaller pools, or fewer ranks a host; \`railrunner plan\` shows each point's need`,
    );
  }
}

/** One sentence for each thing that does not fit; `needs` by rank. */
export function fitFaults(needs: readonly Need[], device: DeviceKindName): string[] {
  const faults: string[] = [];
  for (const host of new Set(needs.map((n) => n.host))) {
    const here = needs.filter((n) => n.host === host);
    const first = here[0] as Need;
    faults.push(...memoryFaults(host, here, first.availableMemoryBytes), ...diskFaults(host, here));
  }
  for (const [rank, need] of needs.entries()) {
    if (device === 'cuda' && need.deviceBytes > need.freeDeviceBytes * USABLE_SHARE) {
      faults.push(
        `rank ${rank}: needs ${formatBytes(need.deviceBytes)} of GPU memory, ${formatBytes(need.freeDeviceBytes)} are free`,
      );
    }
  }
  return faults;
}

function memoryFaults(host: number, here: readonly Need[], availableBytes: number): string[] {
  const needed = here.reduce((sum, n) => sum + n.memoryBytes, 0);
  if (needed <= availableBytes * USABLE_SHARE) return [];
  return [
    `host ${host}: ${here.length} ranks need ${formatBytes(needed)} of memory, ${formatBytes(availableBytes)} are available`,
  ];
}

function diskFaults(host: number, here: readonly Need[]): string[] {
  const faults: string[] = [];
  for (const path of new Set(here.map((n) => n.diskPath).filter((p) => p !== ''))) {
    const users = here.filter((n) => n.diskPath === path);
    const needed = users.reduce((sum, n) => sum + n.diskBytes, 0);
    const free = Math.min(...users.map((n) => n.freeDiskBytes));
    if (needed > free)
      faults.push(
        `host ${host}: ${users.length} ranks need ${formatBytes(needed)} in ${path}, ${formatBytes(free)} are free`,
      );
  }
  return faults;
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
    const plan = (kinds.get(point.job.kind) as JobKind).plan(point, { ...place, device: device.kind });
    memoryBytes = Math.max(memoryBytes, hostBytes(plan, device));
    deviceBytes = Math.max(deviceBytes, plan.memoryBytes.device);
    if (plan.memoryBytes.disk > diskBytes) {
      diskBytes = plan.memoryBytes.disk;
      diskPath = resolve(plan.diskPath ?? '.');
    }
  }
  return {
    host,
    memoryBytes,
    deviceBytes,
    diskBytes,
    diskPath,
    availableMemoryBytes: availableMemoryBytes(),
    freeDeviceBytes: device.freeBytes,
    freeDiskBytes: diskPath === '' ? 0 : freeBytesAt(diskPath),
  };
}

/** On the host device the device tier lies in the same memory. */
function hostBytes(plan: PointPlan, device: Pick<DeviceProperties, 'kind'>): number {
  return plan.memoryBytes.host + (device.kind === 'host' ? plan.memoryBytes.device : 0);
}

/** MemAvailable, or what is left of the cgroup's limit where that is less. */
export function availableMemoryBytes(): number {
  const match = /^MemAvailable:\s+(\d+) kB/m.exec(readText('/proc/meminfo'));
  const machine = match ? Number(match[1]) * 1024 : Number.MAX_SAFE_INTEGER;
  const limit = Number(readText('/sys/fs/cgroup/memory.max').trim() || 'NaN');
  const used = Number(readText('/sys/fs/cgroup/memory.current').trim() || 'NaN');
  return Number.isFinite(limit) && Number.isFinite(used) ? Math.min(machine, limit - used) : machine;
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

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
