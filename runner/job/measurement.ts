/** What a kind reports of a point: one measurement per future row, and what verification found. */
import type { ErrorCode } from '../errors.js';
import type { StoppedBy } from './next-batch.js';

export interface Verification {
  /** The phase that it covers; absent = all. */
  readonly phase?: string;
  readonly checked: number;
  readonly wrong: number;
  readonly firstBad: string;
}

/** The limit that a phase is compared with. */
export interface Peak {
  readonly GBps: number;
  readonly source: string;
  /** Why the phase beats it, where it does and the kind knows. */
  readonly note?: string;
}

export type Timing = 'host' | 'event' | 'graph';

/** Bytes of one iteration on this rank, by the path they took. Absent = unknown or not taken, empty in the CSV. */
export interface MeasuredBytes {
  readonly payload?: number;
  readonly logical?: number;
  readonly padded?: number;
  readonly self?: number;
  readonly ipc?: number;
  readonly network?: number;
  readonly pcie?: number;
  readonly disk?: number;
}

/** What names a row, and what it says however the phase went. `Own`: names of the kind's own columns. */
interface PhaseFacts<Own extends string> {
  readonly phase: string;
  readonly timing: Timing;
  readonly direction: string;
  readonly strategyRequested?: string;
  readonly strategyUsed?: string;
  readonly transportRequested?: string;
  readonly transportUsed?: string;
  readonly networkTransport?: string;
  readonly networkMemory?: string;
  readonly diskIo?: string;
  readonly routingDigest?: string;
  readonly extra?: { readonly [Name in Own]?: string | number };
}

/** A phase that this rank took part in and timed. */
export interface Measured<Own extends string = string> extends PhaseFacts<Own> {
  readonly state: 'measured';
  /** Microseconds, in the order taken. */
  readonly samplesUs: Float64Array;
  /** A part of what another phase has whole: it stands in this rank's file and not in the summary. */
  readonly rankOnly?: boolean;
  readonly entrySkewUs?: Float64Array;
  /** What the kind counts of each sample, by the name of its column in samples/. */
  readonly sampleFacts?: Readonly<Record<string, ArrayLike<number>>>;
  /** A stop flag ended the loop early. */
  readonly stopped?: boolean;
  /** With `stopping`: why no further samples were taken. */
  readonly stoppedBy?: StoppedBy;
  readonly bytes: MeasuredBytes;
  /** busbw / algbw, only where nccl-tests defines one. */
  readonly busbwFactor?: number;
  readonly peak?: Peak;
  readonly setupUs?: number;
  /** Share of the shorter of two overlapping phases that was hidden behind the longer one, percent. */
  readonly overlapPct?: number;
}

/** A phase in which this rank has nothing to do by design. */
export interface Idle<Own extends string = string> extends PhaseFacts<Own> {
  readonly state: 'idle';
}

/** A phase that is not possible on this rank. */
export interface Skipped<Own extends string = string> extends PhaseFacts<Own> {
  readonly state: 'skipped';
  readonly errorCode: ErrorCode;
  readonly error: string;
}

/** One future row of this rank. A field exists only where it has a meaning. */
export type Measurement<Own extends string = string> = Measured<Own> | Idle<Own> | Skipped<Own>;
