/** Where, when and at which commit each table was measured, and what changed on GPUs since. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
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
  /** What changed and whether figures are expected to move. */
  readonly text: string;
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
  if (measured === undefined) return [];
  const at = gpuChanges.findIndex(({ gpuSources }) => gpuSources === measured);
  return gpuChanges.slice(at + 1);
}

/** The line above a table. */
export function provenanceText(provenance: BenchProvenance, name: string): string {
  const made = provenance.tables[name];
  if (made === undefined) return '_Measured on an unrecorded machine._';
  const since = changesSince(provenance, name).map(({ text }) => text);
  const changed = since.length === 0 ? '' : ` GPU code changed since: ${since.join('; ')}.`;
  return `_${made.machine}; ${made.date}, commit ${made.commit}.${changed}_`;
}

/** Names and contents of all GPU sources below native/, tests left out. 16 hex digits. */
export function gpuSourcesDigest(root: string): string {
  const native = join(root, 'native');
  const files = readdirSync(native, { recursive: true, encoding: 'utf8' })
    .filter(
      (path) =>
        /(^|\/)cuda\/.*\.\w+$|\.cuh?$/.test(path) && !path.startsWith('test/') && !path.startsWith('bench/'),
    )
    .map((path) => `native/${path}`)
    .sort();
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex').slice(0, 16);
}
