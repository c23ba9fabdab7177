/** KV blocks between ranks: registered pools, exchanged metadata, reads and writes by handle. */
import type { NativePool } from './kv.js';
import type { InjectedFault, MeasuredPhases, NativeOperation } from './operation.js';
import type { SampleOptions } from './samples.js';

/**
 * What one rank reads from, or writes to, one peer. Pages are numbered block x pagesPerBlock + place in the block, on
 * either side; pair i moves page sourcePages[i] to page targetPages[i].
 */
export interface RankMove {
  /** The other rank; the own rank for a copy inside this rank's memory. */
  readonly peer: number;
  readonly sourcePages: Int32Array;
  readonly targetPages: Int32Array;
  /** By group: heads [begin, end), counted over the whole model. Both sides must hold them. Begin = end: nothing of the group. */
  readonly heads: readonly { readonly begin: number; readonly end: number }[];
}

/** Opened by all ranks together. Pools may differ in page size, heads, layout kind and memory. */
export interface RankTransferOptions {
  /** write: this rank sends blocks of its `source` to its peers' `target`. read: it fetches blocks of its peers' `source`. */
  readonly op: 'read' | 'write';
  /** Pools of this rank that data leave from and arrive in; null where it has none. Tiers device and host. */
  readonly source: NativePool | null;
  readonly target: NativePool | null;
  /** Layers [layerBegin, layerEnd). */
  readonly layerBegin: number;
  readonly layerEnd: number;
  /** What this rank starts; empty where it only serves others. At most one per peer. */
  readonly moves: readonly RankMove[];
  /** By rank: 1 for peers reached over the network, 0 for shared memory; the relation is the same on all ranks. */
  readonly overNetwork: Uint8Array;
  /** Transfers in flight at once on this rank. */
  readonly maxConcurrentTransfers: number;
  /** CPU threads this rank may copy with. */
  readonly threads: number;
  /** cuda: thread blocks of a copy kernel. */
  readonly maxCtas: number;
  readonly timeoutMs: number;
  /**
   * GPU memory over the network. auto, staged: through pinned bounce buffers; staged also for device memory of the host
   * device. device: by the network itself, or E_TRANSPORT. The same on all ranks.
   */
  readonly networkMemory: 'auto' | 'staged' | 'device';
  /** Of each of the two groups of a bounce buffer: 2^20 to 2^30. The same on all ranks. */
  readonly bounceBytes: number;
  /** The only transports of UCX that may carry anything, comma-separated, or E_TRANSPORT; '' allows all. */
  readonly demandedTransports: string;
  /** wrongSplit, lostPiece, truncatedPiece, earlyNotification, earlyDeviceNotification: in the last sample. */
  readonly faults: readonly InjectedFault[];
}

/**
 * post: until every transfer of this rank is handed over, by the host's clock. wire: until they are complete.
 * visible: until everything that others or this rank move into its memory is seen to be there. total: all of it.
 * Each counts from the same start; `visible` is empty on a rank that receives nothing, `post` and `wire` on one that
 * starts nothing.
 */
export type RankTransferPhase = 'post' | 'wire' | 'visible' | 'total';

export interface RankTransferSamples extends MeasuredPhases<RankTransferPhase> {
  /**
   * Where memory still held poison when its notification was seen, in the last sample ("block 3 layer 0 outer 1 head 2
   * token 5, from rank 1"), for CPUs and, on cuda, for a kernel; '' where nothing did.
   */
  readonly early: string;
}

/** Times of open(), each once. */
export interface RankTransferSetup {
  /** Pools registered, layouts numbered. */
  readonly registerUs: number;
  readonly exportUs: number;
  /** All peers' metadata, the exchange over MPI included. */
  readonly importUs: number;
  /** Mappings, network connections, plans. */
  readonly connectUs: number;
  /** Of this rank's blob. */
  readonly metadataBytes: number;
}

export interface RankTransferFacts {
  readonly setup: RankTransferSetup;
  /** Regions this rank's moves touch, and contiguous pieces after joining. */
  readonly numRegions: number;
  readonly numPieces: number;
  /** By move: how it goes, as the strategy table names it, for example "write over mapped memory". */
  readonly strategies: readonly string[];
  /** As UCX names it; '' where no peer is reached over the network. */
  readonly networkTransport: string;
  /** "host", or "staged" where GPU memory goes through bounce buffers; '' where no peer is reached over the network. */
  readonly networkMemory: string;
}

export interface NativeRankTransfer extends NativeOperation<RankTransferFacts, RankTransferPhase> {
  measure(samples: SampleOptions): Promise<RankTransferSamples>;
}
