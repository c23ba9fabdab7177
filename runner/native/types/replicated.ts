/** The replicated part of the native surface: NCCL communicators, and transfers that end on every rank. */
import type { NativeLayout, NativePool, ProbeResult, Tier, TransferOptions } from './kv.js';
import type { SampleOptions, SampleSet } from './samples.js';

export interface NcclProbe {
  /** "2.28.9". */
  readonly version: string;
  /** The file that was loaded. */
  readonly path: string;
}

export interface CommunicatorOptions {
  /** Paths, or names that the loader's folders are searched for; the first that does is taken. */
  readonly libraries: readonly string[];
  /** The 136 bytes that the root made. */
  readonly record: Uint8Array;
  readonly rank: number;
  readonly worldSize: number;
  /** Cap of thread blocks of a collective; 0: NCCL's own choice. */
  readonly maxCtas: number;
  readonly timeoutMs: number;
}

export interface NativeCommunicator {
  /** Of NCCL, "2.28.9". */
  readonly version: string;
  /** NCCL's file. */
  readonly path: string;
  /** Collective: finalise, then destroy. */
  close(timeoutMs: number): Promise<void>;
  /** Abort, after a failure: alone, at once. Every rank must. */
  abandon(): Promise<void>;
}

export type ReplicatedStrategy = 'auto' | 'rootBroadcast' | 'pipelined' | 'scatterAllgather' | 'independent';

/** The same on all ranks, but for `source`. */
export interface ReplicatedOptions {
  readonly strategy: ReplicatedStrategy;
  readonly root: number;
  readonly sourceTier: Tier;
  /** The root's pool of that tier (independent: every rank's); null elsewhere, and where the source is the device. */
  readonly source: NativePool | null;
  readonly sourceLayout: NativeLayout;
  /** Of each section, as for the target. */
  readonly sourceBlocks: readonly number[];
  readonly target: NativePool;
  readonly targetLayout: NativeLayout;
  readonly targetBlocks: readonly number[];
  readonly sourceIds: Int32Array;
  readonly targetIds: Int32Array;
  readonly layerBegin: number;
  readonly layerEnd: number;
  readonly loads: Omit<TransferOptions, 'lanes'>;
  /** Null on the host device. */
  readonly communicator: NativeCommunicator | null;
  readonly timeoutMs: number;
  /** Iterations at which a load fails, or this process ends; -1: none. */
  readonly faults: { readonly failLoadAt: number; readonly dieAt: number };
}

/** Bytes of one iteration on this rank, counted where they are issued. */
export interface ReplicatedFacts {
  readonly payloadBytes: number;
  readonly loadBytes: number;
  readonly selfBytes: number;
  readonly ipcBytes: number;
  readonly networkBytes: number;
  readonly pcieBytes: number;
  readonly diskBytes: number;
  readonly numChunks: number;
  readonly numOperations: number;
  /** Final once it has been measured. */
  readonly strategyUsed: ReplicatedStrategy;
  readonly diskIo: string;
  readonly networkTransport: string;
}

/** Phases of the same iterations; empty where this rank has no such phase. */
export interface ReplicatedSamples {
  readonly total: SampleSet;
  readonly loadUs: Float64Array;
  readonly broadcastUs: Float64Array;
  /** Of the shorter of both phases, mean over samples; null where one is missing. */
  readonly overlapPct: number | null;
}

/** Opened, probed, measured and closed by all ranks together. */
export interface NativeReplicated {
  measure(samples: SampleOptions): Promise<ReplicatedSamples>;
  probe(): Promise<ProbeResult>;
  facts(): Promise<ReplicatedFacts>;
  /** `together` false: after a failure, without the others. */
  close(together: boolean, timeoutMs: number): Promise<void>;
}
