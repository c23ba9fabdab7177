/** The KV part of the native surface: pools, and transfers between them. */
import type { InjectedFault, NativeOperation } from './operation.js';
import type { CheckResult } from './samples.js';

export type Tier = 'device' | 'host' | 'disk';

/** Layers whose regions are alike. */
export interface NativeGroup {
  /** In messages; '' where it is the only group. */
  readonly name: string;
  /** Layers of the block, counted over all groups, ascending. */
  readonly layers: readonly number[];
  /** Bytes of a region by outer index: K and V, or one. */
  readonly regionBytes: readonly number[];
  /** Groups of one section share block ids; from 0, ascending. A group whose window ends has one of its own. */
  readonly section: number;
  /** Which heads of the model the regions hold; absent: all there are, as of a latent. */
  readonly heads?: HeadRange;
}

/** Heads [firstHead, firstHead + numHeads) of a model's totalHeads, of every token of a block. */
export interface HeadRange {
  readonly firstHead: number;
  readonly numHeads: number;
  readonly totalHeads: number;
  /** Order inside a region: [token, head, ...] or [head, token, ...]. */
  readonly order: 'tokenMajor' | 'headMajor';
}

/** Bytes of a layout; meaning of each field in the layout schema of configs/README.md. */
export interface NativeLayout {
  readonly kind: 'fullyContiguous' | 'layerSeparate';
  /** layerSeparate: which dimension is first in a layer's buffer. */
  readonly blockDim: 'first' | 'second';
  readonly alignment: number;
  /** At most 8. */
  readonly groups: readonly NativeGroup[];
  /**
   * A block holds this many pages of `pageTokens` tokens. What a pool holds is told by the page, so that pools of other
   * page sizes can be compared with it. Absent: a block is one page, and nothing asks for its tokens.
   */
  readonly pages?: { readonly pagesPerBlock: number; readonly pageTokens: number };
}

export interface PoolOptions {
  readonly tier: Tier;
  /** Of this tier; on disk every contiguous run of a block is padded to 4096 bytes besides. */
  readonly layout: NativeLayout;
  /** Blocks of each section; their ids follow each other. */
  readonly sectionBlocks: readonly number[];
  /** Folder of the disk tier's file; '' for the others. */
  readonly diskPath: string;
  /** CPU threads that fill and check. */
  readonly threads: number;
  /** Whether same-node peers map it; one that they do not has faster memory on hosts. */
  readonly sharedWithPeers: boolean;
}

/** Region of one outer index: begin + block x blockStride + place of the layer in the group x layerStride. */
export interface OuterGeometry {
  readonly regionBytes: number;
  readonly beginBytes: number;
  readonly blockStrideBytes: number;
}

export interface PoolGeometry {
  /** Blocks count from the first of the group's section. */
  readonly groups: readonly {
    readonly outers: readonly OuterGeometry[];
    readonly layerStrideBytes: number;
  }[];
  /** With all padding. */
  readonly totalBytes: number;
  /** What was asked of the tier: `totalBytes`, and in memory padding to align its start. */
  readonly allocationBytes: number;
}

/** What a pool holds: some blocks their own pattern, all else (other blocks, padding) poison. */
export interface PoolContent {
  readonly seed: number;
  /** The rank, or 0 where all ranks hold the same data. */
  readonly owner: number;
  readonly poisonSalt: number;
  /** Blocks that hold the pattern of their id in this tier; null: all. */
  readonly filled: Int32Array | null;
}

/** What a transfer must have left: block targetIds[i] holds the pattern of block sourceIds[i] of tier `from`, in these layers. */
export interface TransferredBlocks {
  readonly from: Tier;
  /** Whose data they are; absent: the content's own. */
  readonly owner?: number;
  readonly sourceIds: Int32Array;
  readonly targetIds: Int32Array;
  readonly layerBegin: number;
  readonly layerEnd: number;
}

export interface NativePool {
  readonly tier: Tier;
  readonly geometry: PoolGeometry;
  /** Writes what changed since the pool was prepared last. */
  prepare(content: PoolContent): Promise<void>;
  /** Compares every word, padding included; `sampled`: every 61st and the last of each region. */
  check(
    content: PoolContent,
    transferred: readonly TransferredBlocks[],
    sampled: boolean,
  ): Promise<CheckResult>;
  /** Any bytes of the pool, behind the back of its book-keeping: tests plant faults with these. */
  readBytes(offset: number, bytes: number): Promise<Buffer>;
  writeBytes(offset: number, data: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export type CopyStrategy = 'auto' | 'memcpy' | 'memcpyBatch' | 'kernel' | 'staged';

/** One direction: block sourceIds[i] of `source` goes to block targetIds[i] of `target`, layers [layerBegin, layerEnd). */
export interface TransferLane {
  readonly source: NativePool;
  readonly target: NativePool;
  readonly sourceIds: Int32Array;
  readonly targetIds: Int32Array;
  readonly layerBegin: number;
  readonly layerEnd: number;
}

export interface TransferOptions {
  /** One, or two that run at the same time on disjoint blocks. */
  readonly lanes: readonly TransferLane[];
  readonly strategy: CopyStrategy;
  /** Blocks a batch, and batches in flight. */
  readonly maxTransferBatchSize: number;
  readonly maxConcurrentTransfers: number;
  /** Largest piece of work; 0 = chosen by the device. */
  readonly chunkBytes: number;
  /** Disk requests in flight, and the largest of them. */
  readonly queueDepth: number;
  readonly requestBytes: number;
  /** CPU threads this rank may copy with. */
  readonly threads: number;
  readonly maxCtas: number;
  /** Committed in the first sample, on cuda between device and host: spinKernel, illegalAccess. */
  readonly faults: readonly InjectedFault[];
}

/** What one direction is. */
export interface LaneFacts {
  /** "device->host", as in its phase. */
  readonly direction: string;
  readonly numRegions: number;
  readonly numCopies: number;
  /** All batches were made one, whatever maxTransferBatchSize says. */
  readonly batchesMerged: boolean;
  /** Final once the lane has been measured. `staged+kernel` is never asked for: `auto` on cuda may use it. */
  readonly strategyUsed: CopyStrategy | 'staged+kernel';
  /** "io_uring+O_DIRECT qd=32"; '' without a disk. */
  readonly diskIo: string;
}

/** `total` is all that moved; with two directions at once each has a phase of its own, named for what it does. */
export type NativeTransfer = NativeOperation<LaneFacts[]>;
