/** The replicated part of the native surface: NCCL communicators, and transfers that end on every rank. */
import type { NativeLayout, NativePool, Tier, TransferOptions } from './kv.js';
import type { InjectedFault, NativeOperation } from './operation.js';

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
  /** Abort, after a failure: not collective, at once. Every rank must. */
  abandon(): Promise<void>;
}

export type ReplicatedStrategy =
  'auto' | 'rootBroadcast' | 'pipelined' | 'scatterAllgather' | 'ipc' | 'independent';

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
  readonly loads: Omit<TransferOptions, 'lanes' | 'faults'>;
  /** Null on the host device, and on cuda where only `ipc` may be used. */
  readonly communicator: NativeCommunicator | null;
  readonly timeoutMs: number;
  /** At an iteration: failLoad, dieInGroup. */
  readonly faults: readonly InjectedFault[];
}

export interface ReplicatedFacts {
  readonly numChunks: number;
  readonly numOperations: number;
  /** Final once it has been measured. */
  readonly strategyUsed: ReplicatedStrategy;
  readonly diskIo: string;
  readonly networkTransport: string;
  /** Of `ipc` on cuda: copyEngine or kernel; else ''. */
  readonly handedOnBy: string;
  /** Of the shorter of loading and handing on, mean over samples; null where one is missing. */
  readonly overlapPct: number | null;
}

/** Phases load (not where the source is the device), broadcast and total. */
export type NativeReplicated = NativeOperation<ReplicatedFacts>;
