/** Going on with a run that was cut short: what is whole on all ranks is kept, everything else is measured again. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { RunnerError } from '../errors.js';
import type { ResolvedSpec } from '../job-spec/types.js';
import { SCHEMA_VERSION, type ColumnDefinition } from '../results/columns.js';
import { rankFileName } from '../results/rank-csv.js';
import { makeFolder } from '../results/run-folder.js';
import { classDifferences, type MachineClass } from '../run-folder/machine-class.js';
import { readManifest, type ShardPlace } from '../run-folder/manifest-reader.js';
import { readWholePoints, type WholePoints } from '../run-folder/whole-points.js';
import { numberList, rangesOf } from '../text/ranges.js';
import { exchange } from '../world/agreement.js';
import { startTimeoutMs } from '../world/deadlines.js';
import { onAllRanks } from '../world/on-all-ranks.js';
import type { World } from '../world/world.js';
import type { Selection } from './selection.js';

/** What rank 0 reads from the folder. */
export interface EarlierRun {
  readonly runId: string;
  readonly folder: string;
  /** Null: it was cut short before its manifest, so it measured nothing. */
  readonly startedAt: string | null;
  readonly resumedAt: readonly string[];
  readonly shard: ShardPlace | null;
  /** Points that `--points` named; null: all. */
  readonly points: readonly number[] | null;
}

/** What of this rank's files stays. */
export interface Kept {
  /** Numbers of the points that are whole on all ranks and in the summary. */
  readonly points: ReadonlySet<number>;
  readonly rankRecords: readonly (readonly string[])[];
  /** Rank 0; empty on the others. */
  readonly summaryRecords: readonly (readonly string[])[];
}

export interface ResumeRequest {
  /** The run's folder. */
  readonly path: string;
  readonly spec: ResolvedSpec;
  readonly selection: Selection;
  readonly machine: MachineClass;
}

/**
 * Collective. Throws E_RESUME on all ranks where the run is another than this one would be, or still goes on. `lock`: takes
 * the folder for this run.
 */
export async function shareEarlierRun(
  world: World,
  request: ResumeRequest,
  lock: (folder: string) => Promise<void>,
): Promise<EarlierRun> {
  const read = async (): Promise<EarlierRun> => {
    const own = await onAllRanks(world, 'reading the run to resume', async () =>
      world.info.rank === 0 ? await examine(request) : undefined,
    );
    return world.broadcastJson<EarlierRun>(own, 0, startTimeoutMs());
  };
  // A folder of something else is left as it is, without a lock in it.
  const { folder } = await read();
  await onAllRanks(world, 'joining the run folder', async () => {
    if (world.info.rank !== 0) await makeFolder(folder);
  });
  await lock(folder);
  // The previous holder may have continued the run.
  return read();
}

async function examine({ path, spec, selection, machine }: ResumeRequest): Promise<EarlierRun> {
  const folder = resolve(path);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw refusal(folder, 'expected the folder of a run (results/<run-id>); it is not there');
  }
  const hasManifest = ['manifest.json', 'manifest.json.part', 'manifest.json'].some((name) =>
    existsSync(join(folder, name)),
  );
  if (!hasManifest) return startOver(folder, selection);
  const earlier = await readManifest(folder);
  const refuse = (what: string): RunnerError => refusal(folder, what);
  if (earlier.schemaVersion !== SCHEMA_VERSION) {
    throw refuse(`it has schema version ${earlier.schemaVersion}, this railrunner writes ${SCHEMA_VERSION}`);
  }
  if (earlier.specDigest !== spec.digest) {
    const [ran, asked] = [earlier.specDigest.slice(0, 12), spec.digest.slice(0, 12)];
    throw refuse(
      `it ran the spec with digest ${ran}, this one has ${asked}: resume with the same spec and options`,
    );
  }
  const differences = classDifferences(earlier.machine, machine);
  if (differences.length > 0) {
    const named = differences.map(({ field, left, right }) => `${field}: ${left} then, ${right} now`);
    throw refuse(`it ran on another machine or world (${named.join('; ')})`);
  }
  const { index, count } = earlier.shard ?? { index: 1, count: 1 };
  const asked = selection.shard;
  if (asked && (asked.index !== index || asked.count !== count)) {
    throw refuse(`it is shard ${index}/${count}, not ${asked.index}/${asked.count}`);
  }
  const [ran, wanted] = [earlier.selectedPoints, selection.points].map(
    (points) => points && numberList(points),
  );
  if (wanted !== undefined && wanted !== ran) {
    throw refuse(`it takes ${ran === undefined ? 'all points' : `the points ${ran}`}, not ${wanted}`);
  }
  const resumedAt = earlier.json['resumedAt'];
  return {
    runId: earlier.runId,
    folder,
    startedAt: earlier.startedAt.toISOString(),
    resumedAt: Array.isArray(resumedAt) ? resumedAt.map(String) : [],
    shard: earlier.shard ?? null,
    points: earlier.selectedPoints ?? null,
  };
}

/** A run that ended between the making of its folder and its manifest: it measured nothing. */
function startOver(folder: string, { shard, points }: Selection): EarlierRun {
  const strangers = readdirSync(folder).filter(
    (name) => !/^(rank-\d+\.(csv|log)|summary\.csv|columns\.json|manifest\.json\.next|run\.lock)$/.test(name),
  );
  const measured = readdirSync(folder).filter((name) => name.endsWith('.csv') && hasRows(join(folder, name)));
  const unexpected = [...strangers, ...measured][0];
  if (unexpected !== undefined) {
    throw refusal(folder, `expected a run's folder with a manifest, found none but ${unexpected}`);
  }
  return {
    runId: basename(folder),
    folder,
    startedAt: null,
    resumedAt: [],
    shard: shard ?? null,
    points: points ?? null,
  };
}

function hasRows(path: string): boolean {
  const text = readFileSync(path, 'utf8');
  return text.indexOf('\n') < text.length - 1 && text.includes('\n');
}

/** Collective: every rank reads its own file, and all learn which points are whole everywhere. */
export async function agreeOnKept(
  world: World,
  earlier: EarlierRun,
  spec: ResolvedSpec,
  columns: { readonly rank: readonly ColumnDefinition[]; readonly summary: readonly ColumnDefinition[] },
): Promise<Kept> {
  const { rank } = world.info;
  const [own, summary] = await onAllRanks(world, 'reading the rows to keep', async () => {
    const expected = { runId: earlier.runId, specDigest: spec.digest };
    const read = async (name: string, names: readonly ColumnDefinition[]): Promise<WholePoints> =>
      earlier.startedAt === null
        ? new Map()
        : await readWholePoints(join(earlier.folder, name), {
            ...expected,
            columns: names.map(({ name }) => name),
          });
    return [
      await read(rankFileName(rank), columns.rank),
      rank === 0 ? await read('summary.csv', columns.summary) : undefined,
    ] as const;
  });
  const whole = [...own.keys()].filter(
    (point) => point < spec.points.length && (summary === undefined || summary.has(point)),
  );
  // Points end in order, so that ten thousand of them are few ranges.
  const all = await exchange(world, 'points to keep', rangesOf(whole), {
    timeoutMs: startTimeoutMs(),
    stage: 'start',
    point: -1,
  });
  const points = new Set(whole.filter((point) => all.every((ranges) => inRanges(ranges, point))));
  await onAllRanks(world, 'removing samples of unfinished points', () =>
    removeSamples(earlier.folder, rank, points),
  );
  const kept = (from: WholePoints): (readonly string[])[] =>
    [...from].filter(([point]) => points.has(point)).flatMap(([, records]) => records);
  return { points, rankRecords: kept(own), summaryRecords: summary ? kept(summary) : [] };
}

function inRanges(ranges: ReturnType<typeof rangesOf>, point: number): boolean {
  return ranges.some(([first, last]) => first <= point && point <= last);
}

/** Samples are written once: those of a point that is measured again are removed. */
async function removeSamples(folder: string, rank: number, kept: ReadonlySet<number>): Promise<void> {
  const samples = join(folder, 'samples');
  if (!existsSync(samples)) return;
  for (const name of readdirSync(samples)) {
    const match = /^point-(\d+)-rank-(\d+)\.csv$/.exec(name);
    if (match && Number(match[2]) === rank && !kept.has(Number(match[1]))) await rm(join(samples, name));
  }
}

/** The earlier manifest is removed before the first row is written: a run in progress must not say ok. */
export async function withdrawManifest(folder: string): Promise<void> {
  const final = join(folder, 'manifest.json');
  if (existsSync(final)) await rename(final, join(folder, 'manifest.json.part'));
}

function refusal(folder: string, what: string): RunnerError {
  return new RunnerError('E_RESUME', `--resume ${folder}: ${what}; or start a new run without --resume`);
}
