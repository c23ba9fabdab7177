/** What a kind reports of a point: one measurement per future row, and what verification found. */
import type { ErrorCode } from '../errors.js';

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
