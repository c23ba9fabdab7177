/** What a kind is given to open a point, and what it gives back. */
import type { Logger } from 'pino';
import type { Point, StoppingRule } from '../job-spec/types.js';
import type { NativeAddon, SampleOptions } from '../native/types/index.js';
import type { ChosenDevice } from '../world/device.js';
import type { World } from '../world/world.js';
import type { Measurement, Verification } from './measurement.js';
import type { ResourceCache } from './resources.js';

/** A fault that a test asks a kind to commit, so that its alarms can be heard. */
export type InjectedFaultName =
  /** Sends nothing to its peers, or one wrong bit. */
  | 'silence'
  | 'corrupt'
  /** Its block list in another order; its load fails; its process ends while blocks are handed on. */
  | 'misorder'
  | 'failLoad'
  | 'dieInGroup'
  /** On a GPU: a kernel that only the abort word ends; a kernel that writes where nothing is mapped. */
  | 'spinKernel'
  | 'illegalAccess'
  /** In a transfer between ranks: heads of another place, a piece left out or cut off, a notification before its data (only to kernels). */
  | 'wrongSplit'
  | 'lostPiece'
  | 'truncatedPiece'
  | 'earlyNotification'
  | 'earlyDeviceNotification';

export interface PointContext {
  readonly point: Point;
  /**
   * A collective call of its own may only follow an agreement below, with nothing between that can fail on one rank: the others
   * would meet that rank's end of the stage in it, because MPI matches calls by nothing but their order.
   */
  readonly world: World;
  readonly device: ChosenDevice;
  readonly addon: NativeAddon;
  /** Things that outlive a point (pools, communicators), shared by key. */
  readonly resources: ResourceCache;
  readonly log: Logger;
  /** With `stopping`: of the first batch. */
  readonly samples: SampleOptions;
  /** Samples are taken until this is met (takeSamples); absent: as many as `samples` says. */
  readonly stopping?: StoppingRule;
  /** Of this rank and point; kinds that cannot commit one ignore it. */
  readonly injectedFaults: readonly InjectedFaultName[];
  /** Of the stage that the point is in: aborted when its deadline passes. */
  readonly signal: AbortSignal;
  /** CPU threads with which this rank copies, fills and checks, where the user says so. */
  readonly threadsPerRank: number | undefined;
  /** Paths and names under which NCCL is looked for, in order. */
  ncclLibraries(): readonly string[];
  /** The NCCL that the point uses, for the manifest. */
  noteNccl(version: string): void;
  /** How far a long measurement is, for who watches rank 0: done of total. */
  progress(done: number, total: number, unit: string): void;
  /** Milliseconds left of the deadline of the stage that the point is in. */
  remainingMs(): number;
  /** For a collective call of its own: a rank may come to it as late as to the stage's end. One that passes loses the world. */
  meetingMs(): number;
  /**
   * A step of a stage that is only well where it is well on all ranks: runs `body`, then all tell each other how it went.
   * Throws on every rank where any could not, naming it. Every rank must call it, in the same order.
   */
  onAllRanks<T>(step: string, body: () => T | Promise<T>): Promise<T>;
  /** Whether any rank says yes to a question that all are asked. Every rank must call it, in the same order. */
  onAnyRank(question: string, own: boolean): Promise<boolean>;
  /** What every rank says, by rank. Every rank must call it, in the same order. */
  wordsOfAll(question: string, own: string): Promise<string[]>;
}

/** `Own`: names of the kind's own columns, so that a misspelt one does not compile. */
export interface OpenPoint<Own extends string = string> {
  /** Stage `measure`: probes, warm-up and samples; the last sample runs on re-poisoned destinations. */
  measure(): Promise<Measurement<Own>[]>;
  /** Stage `verify`: compares what the last sample left. Applied to every measurement, or to the phases it names. */
  verify(): Promise<Verification[]>;
  /** Stage `close`: gives back what is not cached. Idempotent; runs also after a failure, where ranks can agree on nothing. */
  close(): Promise<void>;
}
