/**
 * The one shape of everything that is measured in native code: a device opens an operation on the world, and it is
 * probed, measured and closed by all ranks together. A kind adds options, facts and, where it must, a probe of its own.
 */
import type { SampleOptions } from './samples.js';

/** Bytes of one iteration on this rank, by the path they take, counted where they are issued. 0: not taken. */
export interface PathBytes {
  /** Without headers and padding; 0 where only the caller can tell. */
  readonly payload: number;
  /** Inside this rank's memory. */
  readonly self: number;
  /** To or from the memory of another rank of the node. */
  readonly ipc: number;
  readonly network: number;
  /** Over the host link of a GPU. */
  readonly pcie: number;
  /** Through a file, padding and re-read edges included. */
  readonly disk: number;
}

/** Samples of one phase by one timing. */
export interface Phase<Name extends string = string> {
  readonly phase: Name;
  /** host: by the clock; event: device time, cold; graph: a call of a replayed graph. */
  readonly timing: 'host' | 'event' | 'graph';
  /** "device->host"; '' where the operation has none. */
  readonly direction: string;
  /** In the order taken; empty where this rank has no part in the phase. */
  readonly timesUs: Float64Array;
  /** Last minus first rank of the node through the gate, one per gated sample. */
  readonly entrySkewUs: Float64Array;
  readonly bytes: PathBytes;
}

export interface MeasuredPhases<Name extends string = string> {
  readonly phases: readonly Phase<Name>[];
  /** A stop flag ended the loop early; the phases hold the samples finished before. */
  readonly stopped: boolean;
}

/** The limit of the same bytes by the same path, with all ranks active. */
export interface ProbeResult {
  /** 0: nothing was probed. */
  readonly GBps: number;
  readonly source: string;
  readonly stopped: boolean;
}

/** What a test asks an operation to do wrong; `at` counts iterations or calls, as the operation says. */
export interface InjectedFault {
  readonly fault:
    | 'silence'
    | 'corrupt'
    | 'failLoad'
    | 'dieInGroup'
    | 'spinKernel'
    | 'illegalAccess'
    | 'wrongSplit'
    | 'lostPiece'
    | 'truncatedPiece'
    | 'earlyNotification'
    | 'earlyDeviceNotification';
  readonly at: number;
}

export interface NativeOperation<Facts, Name extends string = string> {
  /** Collective, before `measure`, which poisons what the probe overwrites. */
  probe(): Promise<ProbeResult>;
  /** Collective: warm-up and samples; targets are poisoned before the last one. */
  measure(samples: SampleOptions): Promise<MeasuredPhases<Name>>;
  /** What the operation is; what it chose is final once it has been measured. */
  facts(): Promise<Facts>;
  /** `together` false: after a failure, without the others. Idempotent. */
  close(together: boolean, timeoutMs: number): Promise<void>;
}
