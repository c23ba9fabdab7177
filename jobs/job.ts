/**
 * The one interface that a job kind fills. The engine, the spec room and the writer know kinds by nothing else:
 * adding a kind is a folder here and a line in jobs/index.ts.
 */
import type { Logger } from 'pino';
import type { ErrorCode } from '../runner/errors.js';
import type { SpecKind } from '../runner/spec/kind.js';
import type { Point } from '../runner/spec/types.js';
import type { World } from '../runner/bootstrap/world.js';
import type { ChosenDevice } from '../runner/bootstrap/device.js';
import type { NativeAddon, SampleOptions } from '../runner/native/types.js';
import type { ColumnDefinition } from '../runner/results/columns.js';
import type { ResourceCache } from '../runner/engine/resources.js';

export type { PlanPlace, PointPlan, ResolveAnswer, ResolveRequest, RunPlace } from '../runner/spec/kind.js';

/** SpecKind holds what `validate` and `plan` need: the word, schema, resolve, check and plan. */
export interface JobKind extends SpecKind {
  /** Columns that rows of this kind add behind the common ones. */
  readonly columns: readonly ColumnDefinition[];
  /** Stage `prepare`: allocate, fill, compile plans. What it opened is closed when it throws. */
  open(context: PointContext): Promise<OpenPoint>;
}

/** A fault that a test asks a kind to commit, so that its alarms can be heard. */
export type PlantedFault =
  /** Sends nothing to its peers, or one wrong bit. */
  | 'silence'
  | 'corrupt'
  /** Its block list in another order; its load fails; its process ends while blocks are handed on. */
  | 'misorder'
  | 'failLoad'
  | 'dieInGroup'
  /** On a GPU: a kernel that only the abort word ends; a kernel that writes where nothing is mapped. */
  | 'spinKernel'
  | 'illegalAccess';

export interface PointContext {
  readonly point: Point;
  readonly world: World;
  readonly device: ChosenDevice;
  readonly addon: NativeAddon;
  /** Things that outlive a point (pools, communicators), shared by key. */
  readonly resources: ResourceCache;
  readonly log: Logger;
  readonly samples: SampleOptions;
  /** Of this rank and point; kinds that cannot commit one ignore it. */
  readonly plantedFaults: readonly PlantedFault[];
  /** Aborted when the stage's deadline passes or the run is told to stop. */
  readonly signal: AbortSignal;
  /** Paths and names under which NCCL is looked for, in order. */
  ncclLibraries(): readonly string[];
  /** Milliseconds left of the stage's deadline. */
  remainingMs(): number;
  /**
   * All ranks tell each other whether they could (error null) before a step that needs everyone. Throws on every
   * rank when any could not, naming it. Every rank must call it, in the same order.
   */
  agree(step: string, error: unknown): Promise<void>;
}

export interface OpenPoint {
  /** Stage `measure`: probes, warm-up and samples; the last sample runs on re-poisoned destinations. */
  measure(): Promise<Measurement[]>;
  /** Stage `verify`: compares what the last sample left. Applied to every measurement, or to the phases it names. */
  verify(): Promise<Verification[]>;
  /** Stage `close`: gives back what is not cached. Idempotent; runs also after a failure. */
  close(): Promise<void>;
}

export interface Verification {
  /** Phase it speaks of; absent = all. */
  readonly phase?: string;
  readonly checked: number;
  readonly wrong: number;
  readonly firstBad: string;
}

export type Timing = 'host' | 'event' | 'graph';

/** One future row of this rank: what a phase moved and how long it took. Absent = empty in the CSV, never 0. */
export interface Measurement {
  readonly phase: string;
  readonly timing: Timing;
  readonly direction: string;
  /** `idle`: this rank had nothing to do by design. */
  readonly status?: 'ok' | 'idle' | 'skipped';
  readonly errorCode?: ErrorCode;
  readonly error?: string;
  /** In the order taken; empty for idle and skipped ranks. */
  readonly samplesUs: Float64Array;
  readonly entrySkewUs?: Float64Array;
  readonly stopped?: boolean;
  readonly bytes: {
    readonly payload?: number;
    readonly logical?: number;
    readonly padded?: number;
    readonly self?: number;
    readonly ipc?: number;
    readonly network?: number;
    readonly pcie?: number;
    readonly disk?: number;
  };
  /** busbw / algbw, only where nccl-tests defines one. */
  readonly busbwFactor?: number;
  readonly peak?: { readonly GBps: number; readonly source: string };
  readonly strategyRequested?: string;
  readonly strategyUsed?: string;
  readonly transportRequested?: string;
  readonly transportUsed?: string;
  readonly networkTransport?: string;
  readonly networkMemory?: string;
  readonly diskIo?: string;
  readonly setupUs?: number;
  readonly overlapPct?: number;
  readonly routingDigest?: string;
  /** The kind's own columns by name. */
  readonly extra?: Readonly<Record<string, string | number>>;
}
