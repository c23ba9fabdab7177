/** Where, when and at which commit each table was measured, and what changed on GPUs since. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TableProvenance {
  readonly machine: string;
  /** UTC, YYYY-MM-DD. */
  readonly date: string;
  readonly commit: string;
  /** Digest of the GPU sources that were measured; absent for tables of the host device. */
  readonly gpuSources?: string;
}

export interface GpuChange {
  /** Digest of the GPU sources after the change. */
  readonly gpuSources: string;
  /** What changed, and by how much figures moved where that was measured. */
  readonly text: string;
  /** Names of the tables whose figures it is expected to move; none by default. */
  readonly moves?: readonly string[];
  /** Why the GPU tests have not passed with this change, where they have not. */
  readonly untested?: string;
}

export interface BenchProvenance {
  readonly tables: Readonly<Record<string, TableProvenance>>;
  /** Oldest first; the last one's digest is that of the sources as they are. */
  readonly gpuChanges: readonly GpuChange[];
}

export function readProvenance(benchFolder: string): BenchProvenance {
  return JSON.parse(readFileSync(join(benchFolder, 'provenance.json'), 'utf8')) as BenchProvenance;
}

/** Changes of GPU code that a table does not show: all that came after its digest. */
export function changesSince({ tables, gpuChanges }: BenchProvenance, name: string): readonly GpuChange[] {
  const measured = tables[name]?.gpuSources;
  return measured === undefined ? [] : changesAfter(gpuChanges, measured);
}

/** All changes where the digest is of none of them. */
export function changesAfter(gpuChanges: readonly GpuChange[], digest: string): readonly GpuChange[] {
  return gpuChanges.slice(gpuChanges.findIndex(({ gpuSources }) => gpuSources === digest) + 1);
}

/** The line above a table. */
export function provenanceText(provenance: BenchProvenance, name: string): string {
  const made = provenance.tables[name];
  if (made === undefined) return '_Measured on an unrecorded machine._';
  const since = changesSince(provenance, name);
  const moving = since.filter(({ moves }) => moves?.includes(name)).map(({ text }) => text);
  const still = since.length - moving.length;
  const changed = moving.length === 0 ? '' : ` GPU code changed since: ${moving.join('; ')}.`;
  const listed = '`gpuChanges` of [provenance.json](provenance.json)';
  const others = still === 0 ? '' : ` Expected to move no figure here: ${still} changes (${listed}).`;
  return `_${made.machine}; ${made.date}, commit ${made.commit}.${changed}${others}_`;
}
