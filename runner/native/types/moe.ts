/** The MoE part of the native surface: one point of dispatch and combine. */
import type { InjectedFault, NativeOperation } from './operation.js';

export interface NativeHighThroughput {
  readonly strategy: 'sparse' | 'allGather';
  readonly expertAlignment: number;
  readonly reuseLayout: boolean;
  readonly weighted: boolean;
  /** Processors of a GPU that a call may use; 0: the device's own choice. */
  readonly smCount: number;
  /** Expert rows of every rank's receive memory. */
  readonly receiveRows: 'exact' | 'worstCase' | number;
}

export interface NativeMoeOptions {
  readonly numExperts: number;
  readonly numTopk: number;
  readonly hidden: number;
  readonly maxDispatchTokensPerRank: number;
  readonly dispatchDtype: 'bf16' | 'fp8_e4m3';
  readonly roundScale: boolean;
  readonly dedup: boolean;
  readonly outputLayout: 'expertMajor' | 'rankMajor';
  readonly zeroCopy: boolean;
  /** 32 bits. */
  readonly seed: number;
  /** By rank: 1 for peers that are reached over the network, 0 for shared memory. */
  readonly overNetwork: Uint8Array;
  /** By rank, where a token is to cross once per node and be forwarded there; empty: nothing is forwarded. */
  readonly nodeOfRank: Uint32Array;
  readonly numProxies: number;
  /** Send and receive phases are timed apart. */
  readonly split: boolean;
  /** null: low latency. */
  readonly highThroughput: NativeHighThroughput | null;
  /** [numTokens, numTopk]: global experts, -1 = none. */
  readonly topkIdx: Int32Array;
  readonly topkWeights: Float32Array;
  readonly numTokens: number;
  readonly timeoutMs: number;
  /** From that call on (calls count from 1): silence, corrupt. */
  readonly faults: readonly InjectedFault[];
}

/** What the last sample left. Rows of a group (local expert, or source rank) follow each other without gaps. */
export interface NativeMoeResults {
  /** Number of the sample that the payload is a function of. */
  readonly salt: number;
  /** Rows of each group. */
  readonly count: Int32Array;
  /** Low 32 bits rows, high 32 bits first row: [local experts, ranks], or [ranks]. */
  readonly layoutRange: BigUint64Array;
  /** By row: index of the token at its source rank. */
  readonly sourceToken: Int32Array;
  /** By row: bf16 (little-endian) or e4m3 elements. */
  readonly x: Uint8Array;
  /** By row: one a 128 channels, with fp8. */
  readonly scales: Float32Array;
  /** The row behind each group's last, where there is one. */
  readonly guard: Uint8Array;
  /** [maxDispatchTokensPerRank, padded hidden], bf16 bits. */
  readonly combined: Uint16Array;

  // Only with high throughput, else empty. There `count` is by local expert, `sourceToken` by received token (source rank,
  // then source token), and `x` holds every expert row in use, padding included, or every received token (rankMajor).
  /** [local experts + 1]: first expert row; the last: all, padding included. */
  readonly expertBegin: Int32Array;
  /** [ranks + 1]: first received token of each source; the last: all. */
  readonly sourceBegin: Int32Array;
  /** By expert row: its received token, -1 = padding. */
  readonly rowToken: Int32Array;
  /** [received tokens, numTopk]: expert row of choice k, -1 = hosted elsewhere. */
  readonly tokenRow: Int32Array;
  /** Likewise: local expert. */
  readonly tokenExpert: Int32Array;
  readonly tokenWeight: Float32Array;
}

/** What one call sends from this rank, for the probe of its limit. */
export interface NativeMoeProbeRequest {
  /** By rank; the own entry is ignored. */
  readonly bytesTo: Float64Array;
  /** Their median counts. */
  readonly repeats: number;
  /** Size of the memory they are read from, round and round. */
  readonly sourceBytes: number;
}

export interface NativeMoeProbe {
  /** Contiguous copies into the memory of same-node peers; 0 = none, or no such probe on this device. */
  readonly ipcGBps: number;
  /** Streams of puts to the other peers; 0 likewise. */
  readonly networkGBps: number;
  readonly stopped: boolean;
}

export interface NativeMoeFacts {
  /** As UCX names it; '' where no peer is reached over the network. */
  readonly networkTransport: string;
  /** host or device; '' likewise. */
  readonly networkMemory: string;
  /** High throughput: sparse or allGather; else ''. */
  readonly strategy: string;
  /** Of the GPU, that a call uses. */
  readonly processors: number;
  /** High throughput: the point's first call of each; else 0. */
  readonly dispatchFirstUs: number;
  readonly combineFirstUs: number;
}

/**
 * Phases dispatch and combine, or with split their halves dispatchSend, dispatchReceive, combineSend, combineReceive.
 * Bytes are of one call; a receive half issues none. The limit is told by path, as one call uses several at once.
 */
export interface NativeMoe extends Omit<NativeOperation<NativeMoeFacts>, 'probe'> {
  /** Collective, before `measure`: all ranks send at once what one call sends. */
  probe(request: NativeMoeProbeRequest, timeoutMs: number): Promise<NativeMoeProbe>;
  results(): Promise<NativeMoeResults>;
}
