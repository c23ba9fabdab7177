/** Runs that `--shard` split: which belong together, and what is missing. */
import { RunnerError } from '../errors.js';
import type { RunFolder } from './run-rows.js';
import { firstOf, present } from '../values/items.js';

/** One run of all points: a single folder, or the shards of one. */
export interface JoinedRun {
  /** In order of shards. */
  readonly parts: readonly RunFolder[];
  /** Of the run that came first. */
  readonly startedAt: Date;
  /** Numbers, from 1, of the shards that no folder holds. */
  readonly missingShards: readonly number[];
}

/**
 * Puts shards together: of equal spec, points, count and layout, in the order of their start, each number once. Throws E_USAGE
 * where one run was named twice: a run that counts twice is not a second measurement.
 */
export function joinShards(runs: readonly RunFolder[]): JoinedRun[] {
  refuseTwins(runs);
  const groups: RunFolder[][] = [];
  for (const run of [...runs].sort((a, b) => +a.manifest.startedAt - +b.manifest.startedAt)) {
    const group = run.manifest.shard && groups.find((others) => takesShard(others, run));
    if (group) group.push(run);
    else groups.push([run]);
  }
  return groups.map((parts) => ({
    parts: parts.toSorted((a, b) => shardIndex(a) - shardIndex(b)),
    startedAt: firstOf(parts).manifest.startedAt,
    missingShards: missingShards(parts),
  }));
}

/** Of one among several: a run that is whole stands alone. */
function shardIndex({ manifest }: RunFolder): number {
  return present(manifest.shard, 'shard').index;
}

function takesShard(others: readonly RunFolder[], run: RunFolder): boolean {
  const own = run.manifest;
  const first = firstOf(others).manifest;
  const alike =
    first.shard?.count === own.shard?.count &&
    first.specDigest === own.specDigest &&
    String(first.selectedPoints) === String(own.selectedPoints) &&
    first.machine.layout === own.machine.layout;
  return alike && others.every((other) => other.manifest.shard?.index !== own.shard?.index);
}

function missingShards(parts: readonly RunFolder[]): number[] {
  const count = parts[0]?.manifest.shard?.count ?? 0;
  const present = new Set(parts.map((part) => part.manifest.shard?.index));
  return Array.from({ length: count }, (_, at) => at + 1).filter((index) => !present.has(index));
}

function refuseTwins(runs: readonly RunFolder[]): void {
  const seen = new Map<string, string>();
  for (const { path, manifest } of runs) {
    const other = seen.get(manifest.runId);
    if (other !== undefined) {
      throw new RunnerError(
        'E_USAGE',
        `run ${manifest.runId} was given twice (${other} and ${path}): expected each run once; ` +
          'a copy is not a second measurement, so leave one of them out',
      );
    }
    seen.set(manifest.runId, path);
  }
}
