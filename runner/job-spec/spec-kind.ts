/** What the spec module needs to know of a job kind. Kinds arrive as arguments: this module imports none. */
import type { Schema } from './common-schema.js';
import type { IntegerVariable } from '../environment/variables.js';
import type { SpecIssue } from './issue.js';
import type { SpecFiles } from './files.js';
import type { JsonObject, Point } from './types.js';

/** A variable that fixes a key of every job whose kind has it. */
export interface EnvironmentKey extends IntegerVariable {
  /** Key of the job, as a spec has it. */
  readonly key: string;
}

export interface SpecKind {
  /** The word in a spec's `kind`. */
  readonly kind: string;
  /** One sentence for docs and `schema`. */
  readonly summary: string;
  /**
   * JSON Schema (draft 2020-12) of the keys beyond the common ones, each with its default. A common key that is
   * listed again replaces the common definition (another default for `iterations`, say).
   */
  readonly schema: Schema;
  /** Why its jobs have no `stopping`: what they measure is done once. Absent: they have. */
  readonly measuresOnce?: string;
  /** Environment variables that fix keys of its jobs; absent: none. */
  readonly environmentKeys?: readonly EnvironmentKey[];
  /** Keys of a small job of that kind, beyond `id` and `kind`, for `railrunner example`. Runs anywhere within a second. */
  readonly example: JsonObject;
  /** Dotted keys that follow from others where a spec leaves them open: `plan` says what they became. */
  readonly assumedKeys?: readonly string[];
  /**
   * Replaces what a point names (presets, files) by what that means, after defaults and sweep. Runs on rank 0
   * alone: the other ranks receive its answer. Issues carry JSON Pointers relative to the job.
   */
  resolve?(request: ResolveRequest): ResolveAnswer;
  /** Rules across keys of one point that hold on any machine; issues carry JSON Pointers relative to the job. */
  check(point: Point, worldSize: number | null): SpecIssue[];
  /** Bytes and memory per rank, before anything is allocated. Pure: works without MPI, GPU or a native build. */
  plan(point: Point, place: PlanPlace): PointPlan;
  /**
   * What `plan` says of memory and disk, for kinds whose whole plan takes long: every rank asks for it before a run
   * begins. Absent: `plan` is asked.
   */
  need?(point: Point, place: PlanPlace): PointNeed;
  /**
   * Why ranks there would skip the point, as far as that is known before anything is opened; null if nothing
   * prevents it. Absent: points of this kind run everywhere.
   */
  skipReason?(point: Point, place: RunPlace): string | null;
}

/** Where a run would be. */
export interface RunPlace {
  readonly worldSize: number;
  /** Ranks that share memory. */
  readonly ranksPerNode: number;
  readonly device: 'host' | 'cuda';
  /** Why there is no network between nodes; '' where there is one. */
  readonly networkMissing: string;
  /** Why NCCL cannot be used; '' where it can. */
  readonly ncclMissing: string;
}

export interface ResolveRequest {
  /** The point with every default filled in. */
  readonly spec: JsonObject;
  /** The same as it was written, without defaults and without what the environment or the command line fixes: what a rule about "given but without meaning" looks at. */
  readonly given: JsonObject;
  /** Dotted key path -> value of this point's sweep. */
  readonly swept: JsonObject;
  readonly files: SpecFiles;
}

export type ResolveAnswer = { readonly spec: JsonObject } | { readonly issues: readonly SpecIssue[] };

/** Where a plan is made for. */
export interface PlanPlace {
  readonly worldSize: number;
  readonly rank: number;
  readonly ranksPerNode: number;
  readonly device: 'host' | 'cuda';
}

export interface PointNeed {
  /** Bytes of memory that this rank needs while the point runs, by tier. */
  readonly memoryBytes: { readonly device: number; readonly host: number; readonly disk: number };
  /** Folder that the disk bytes go to, where there are any. */
  readonly diskPath?: string;
}

export interface PointPlan extends PointNeed {
  /** Payload bytes that this rank moves in one iteration. */
  readonly payloadBytes: number;
  /** More lines for `plan`: name -> value with its unit in the name. */
  readonly details?: Readonly<Record<string, string | number>>;
}

/** Kinds by the word in a spec's `kind`. */
export function kindsByName<Kind extends Pick<SpecKind, 'kind'>>(
  kinds: readonly Kind[],
): ReadonlyMap<string, Kind> {
  return new Map(kinds.map((kind) => [kind.kind, kind]));
}
