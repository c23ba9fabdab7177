/**
 * manifest.json: what does not change within a run, and how it ended. While the run lasts it is manifest.json.part
 * with the outcome `running`; the rename to its final name is the last thing that a run does. Exit statuses of
 * launchers lie, so this is the proof: no manifest.json with the outcome `ok`, no success.
 */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EXIT } from '../errors.js';
import type { ShardPlace } from '../run-folder/manifest-reader.js';
import type { MachineClass } from '../run-folder/machine-class.js';
import type { JsonValue } from '../job-spec/types.js';
import { outputError } from '../system-failure.js';
import type { ProbedLimit } from './probed-limits.js';
import type { RowStatus } from './row.js';
import { notHurried, syncFolder, writeSynced } from './synced-file.js';
import { namesOf } from '../values/objects.js';

export type RunOutcome = 'running' | 'ok' | 'failed' | 'timeout' | 'aborted' | 'refused' | 'incomplete';

/** What `versions` holds, with its meaning for results/README.md. */
export const VERSION_FIELDS = {
  railrunner: 'version of this program',
  commit: 'the Git commit that it was built from, `+changes` behind it where the sources differed',
  addon: 'its native part: version, build type, compiler, CUDA',
  node: 'Node',
  mpi: 'MPI library, as it names itself',
  kernel: 'release of the kernel',
  driver: 'driver of the GPUs',
  cuda: 'CUDA that the addon was built with',
  cudaDriver: 'CUDA that the driver supports',
  ucx: 'UCX, where a point used the network',
  nccl: 'NCCL, where a point used it',
} as const;

export type RecordedVersions = Readonly<Record<keyof typeof VERSION_FIELDS, string | null>>;

export interface Manifest {
  readonly schemaVersion: number;
  readonly runId: string;
  readonly outcome: RunOutcome;
  /** Null while the run lasts. */
  readonly exitStatus: number | null;
  /** The first error that decided the outcome; null where there is none. */
  readonly error: { readonly code: string; readonly message: string } | null;
  /** UTC, ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** UTC times at which `--resume` went on with the run. */
  readonly resumedAt: readonly string[];
  /** The part of the points that this run takes; null: all. */
  readonly shard: ShardPlace | null;
  /** Points that `--points` named, `0,3,7-9`; null: all. */
  readonly points: string | null;
  readonly spec: { readonly digest: string; readonly path: string | null; readonly resolved: JsonValue };
  /** Null where the thing is not there; distinct values of the ranks joined by `|`. */
  readonly versions: RecordedVersions;
  readonly topology: {
    readonly worldSize: number;
    readonly numNodes: number;
    /** 0 = nodes are hosts. */
    readonly ranksPerNode: number;
    readonly ranks: readonly {
      readonly rank: number;
      readonly node: number;
      readonly localRank: number;
      readonly hostname: string;
    }[];
  };
  readonly devices: readonly JsonValue[];
  /** Times are compared within one class only. */
  readonly machine: MachineClass;
  readonly probes: readonly ProbedLimit[];
  readonly environment: Readonly<Record<string, string>>;
  /** By rank: status -> number of rows. Empty while the run lasts. */
  readonly statusCounts: readonly Readonly<Partial<Record<RowStatus, number>>>[];
}

/** Every field with its meaning, for results/README.md; a test holds it equal to the type. */
export const MANIFEST_FIELDS: Readonly<Record<keyof Manifest, string>> = {
  schemaVersion: 'version of the meaning of the columns and of these fields',
  runId: 'name of the run, and of its folder',
  outcome:
    '`ok`, `failed`, `timeout`, `aborted`, or `incomplete`: all was run, but a result file could not be written whole; `running` in manifest.json.part',
  exitStatus: 'exit status of every rank; null while the run lasts',
  error: '`code` and `message` of the error that decided the outcome, or null',
  startedAt: 'UTC time of the start, ISO 8601',
  endedAt: 'UTC time of the end; null while the run lasts',
  resumedAt: 'UTC times at which `run --resume` went on with this run',
  shard: '`index` (from 1) and `count` where `--shard` gave this run a part of the points; null: all',
  points: 'numbers of the points where `--points` named them, such as `0,3,7-9`; null: all',
  spec: '`digest` (sha256 of the canonical text), `path` as given, and `resolved`: the spec with every default',
  versions:
    'by the names below; null where a thing is not there; where hosts differ, the distinct values, a vertical bar between them',
  topology: '`worldSize`, `numNodes`, `ranksPerNode`, and of each rank `node`, `localRank`, `hostname`',
  devices: 'of each rank: kind, name, uuid, memory, NUMA node',
  machine:
    'machine class, within which times are compared: device, its name, CPU, driver major, NCCL, MPI, ranks per node',
  probes:
    'limits probed in this run, by `job`, `phase` and `direction`: `source` (as `peak_source`), `ranks` active, `points`, and `minGBps` and `maxGBps` of these points, all ranks together',
  environment: 'the variables of the allow-list that were set, as rank 0 saw them',
  statusCounts: 'by rank, how many rows have which status',
};

/** Everything that is known at the start. */
export type ManifestStart = Omit<Manifest, 'outcome' | 'exitStatus' | 'error' | 'endedAt' | 'statusCounts'>;

export interface ManifestEnd {
  readonly exitStatus: number;
  /** Where the exit status does not tell it: `refused` after the folder was made. */
  readonly outcome?: 'refused';
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly endedAt: Date;
  readonly statusCounts: Manifest['statusCounts'];
  /** Known only at the end. */
  readonly probes?: readonly ProbedLimit[] | undefined;
  /** Versions of libraries that are known only when they have been used. */
  readonly libraries?: Pick<RecordedVersions, 'ucx' | 'nccl'> | undefined;
}

const FINAL_NAME = 'manifest.json';
const RUNNING_NAME = 'manifest.json.part';
const NEXT_NAME = 'manifest.json.next';

export class ManifestFile {
  /** Of the run. */
  readonly folder: string;
  readonly #start: ManifestStart;
  #finished: Promise<Manifest> | undefined;
  #foretold: Promise<unknown> = Promise.resolve();
  #hurry!: () => void; // made with the promise below
  /** Resolves when nobody waits for the disk any more. */
  readonly #hurried = new Promise<void>((resolve) => (this.#hurry = resolve));

  private constructor(folder: string, start: ManifestStart) {
    this.folder = folder;
    this.#start = start;
  }

  /** Writes manifest.json.part with the outcome `running`. Rejects with E_OUTPUT. */
  static async begin(folder: string, start: ManifestStart): Promise<ManifestFile> {
    const manifest = new ManifestFile(folder, start);
    const running = {
      outcome: 'running',
      exitStatus: null,
      error: null,
      endedAt: null,
      statusCounts: [],
    } as const;
    await replaceRunning(folder, order({ ...start, ...running }), notHurried());
    return manifest;
  }

  /**
   * From now on finish() puts the file in place without waiting for the disk, also where it waits already: a launcher that
   * kills a second after SIGTERM would leave `running`. Only a machine that loses power then still loses the file.
   */
  hurry(): void {
    this.#hurry();
  }

  /**
   * A signal came: how the run will probably end is put in place at once, because a process that is killed in the next
   * second says nothing more. finish() replaces it. Never rejects.
   */
  foretell(end: ManifestEnd): void {
    this.hurry();
    if (!this.#finished)
      this.#foretold = this.#putInPlace(end).catch(/* v8 ignore next -- failing disk */ () => undefined);
  }

  /**
   * The last act of a run, once every file is closed. Rejects with E_OUTPUT; the run then has no manifest.json. The
   * first end stays: a launcher that ends this rank because another has left already does not change how the run went.
   */
  finish(end: ManifestEnd): Promise<Manifest> {
    this.#finished ??= this.#foretold.then(() => this.#putInPlace(end));
    return this.#finished;
  }

  async #putInPlace(end: ManifestEnd): Promise<Manifest> {
    const manifest = order({
      ...this.#start,
      outcome: end.outcome ?? outcomeOfExit(end.exitStatus),
      exitStatus: end.exitStatus,
      error: end.error ?? null,
      endedAt: end.endedAt.toISOString(),
      statusCounts: end.statusCounts,
      probes: end.probes ?? this.#start.probes,
      versions: { ...this.#start.versions, ...end.libraries },
    });
    await replaceRunning(this.folder, manifest, this.#hurried);
    try {
      await rename(join(this.folder, RUNNING_NAME), join(this.folder, FINAL_NAME));
      await Promise.race([syncFolder(this.folder), this.#hurried]);
    } catch (error) {
      throw outputError(`${join(this.folder, FINAL_NAME)} cannot be put in place`, error);
    }
    return manifest;
  }
}

export function outcomeOfExit(exitStatus: number): RunOutcome {
  if (exitStatus === EXIT.ok) return 'ok';
  if (exitStatus === EXIT.timeout) return 'timeout';
  // A run that has a manifest to finish was not refused: what fails then is its output.
  if (exitStatus === EXIT.environment) return 'incomplete';
  if (exitStatus === EXIT.usage) return 'refused';
  if (exitStatus === EXIT.fatal || exitStatus > 128) return 'aborted';
  return 'failed';
}

function textOf(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Fields in the order in which they are documented. */
function order(manifest: Manifest): Manifest {
  const ordered: Partial<Manifest> = {};
  for (const key of namesOf(MANIFEST_FIELDS)) Object.assign(ordered, { [key]: manifest[key] });
  return { ...ordered, ...manifest };
}

/** By a rename: a reader, or a resumed run, finds either the old or the new one, complete. */
async function replaceRunning(folder: string, manifest: Manifest, hurried: Promise<void>): Promise<void> {
  const next = join(folder, NEXT_NAME);
  try {
    await writeSynced(next, textOf(manifest), hurried);
  } catch (error) {
    await rm(next, { force: true }).catch(() => undefined);
    throw error;
  }
  try {
    await rename(next, join(folder, RUNNING_NAME));
    await Promise.race([syncFolder(folder), hurried]);
  } catch (error) {
    /* v8 ignore next -- failing disk */
    throw outputError(`${join(folder, RUNNING_NAME)} cannot be put in place`, error);
  }
}
