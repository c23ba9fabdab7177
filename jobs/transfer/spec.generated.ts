/** A resolved transfer job. Generated from jobs/transfer/resolved-schema.ts by `npm run generate`. */

export interface TransferSpec {
  /**
   * Name of the job, once in a spec: letters, digits, _ and -, at most 64.
   */
  id: string;
  kind: 'transfer';
  /**
   * Seed of the data and of the block order; absent: the run's.
   */
  seed: number;
  /**
   * Iterations that are executed and not recorded.
   */
  warmup: number;
  /**
   * Recorded samples.
   */
  iterations: number;
  /**
   * Deadline of each stage of a point.
   */
  timeoutSeconds: number;
  /**
   * How much of the data is compared after the last iteration.
   */
  verify: 'full' | 'sample' | 'off';
  /**
   * No barrier between samples.
   */
  freeRunning: boolean;
  /**
   * Measure the limit of the same path in the same run, for pct_of_peak.
   */
  probe: boolean;
  /**
   * Keep every sample under samples/.
   */
  saveSamples: boolean;
  /**
   * Instead of iterations: continue until the noise is low.
   */
  stopping?: {
    /**
     * Samples are taken until the noise of the median is at most this (docs/measuring.md).
     */
    maxNoisePct?: number;
    /**
     * Samples of the first batch. Default 50, or maxIterations if that is less.
     */
    minIterations?: number;
    /**
     * Maximum number of samples.
     */
    maxIterations?: number;
    /**
     * No batch starts that would end later than this after the first warm-up. Default 15, or half of timeoutSeconds if that is less.
     */
    maxSeconds?: number;
  };
  /**
   * write: ranks that have the blocks send them; read: ranks that need them fetch them; both: one after the other.
   */
  op: 'write' | 'read' | 'both';
  /**
   * Who sends to whom, by units of max(sourceTensorParallel, targetTensorParallel) ranks. pair: 0 to 1, 2 to 3, ...; ring: each to the next; manyToOne: all others to 0; oneToMany: 0 to all others; allToAll; matrix: from a file. A single unit sends to itself.
   */
  pattern: 'pair' | 'ring' | 'manyToOne' | 'oneToMany' | 'allToAll' | 'matrix';
  /**
   * Only with pattern matrix.
   */
  matrix?: {
    path: string;
    /**
     * Of the file's bytes.
     */
    sha256: string;
    /**
     * By sending and receiving unit.
     */
    blocks: number[][];
  };
  /**
   * Memory from which blocks are read.
   */
  from: 'device' | 'host';
  /**
   * Memory into which blocks are written.
   */
  to: 'device' | 'host';
  /**
   * Ranks that together hold one copy of the source, each its heads; latents are complete on each.
   */
  sourceTensorParallel: 1 | 2 | 4 | 8;
  /**
   * Ranks that together hold one copy of the target, each its heads; latents are complete on each.
   */
  targetTensorParallel: 1 | 2 | 4 | 8;
  layout: TransferLayout;
  targetLayout: TransferLayout;
  /**
   * Blocks, of the larger page size of the two sides, from each source instance to each receiver of its pattern.
   */
  blocks: number;
  /**
   * Block ids on both sides.
   */
  order: 'sequential' | 'shuffled';
  /**
   * [start, end): layers that move; absent: all.
   *
   * @minItems 2
   * @maxItems 2
   */
  layerRange: [number, number];
  /**
   * hybrid: shared memory inside a node, the network between nodes; network: the network for all but self; ipc: never the network.
   */
  transport: 'hybrid' | 'network' | 'ipc';
  /**
   * Transports of UCX, or what their names begin with ("rc", "tcp"), the only ones that may carry data: if UCX uses another, the point ends with E_TRANSPORT before anything is measured. Absent: every transport may.
   *
   * @minItems 1
   */
  networkTransport?: [string, ...string[]];
  /**
   * GPU memory over the network. auto: through pinned bounce buffers, one group of which fills while the other drains; staged: also for device memory of the host device; device: without them, or E_TRANSPORT.
   */
  networkMemory: 'auto' | 'staged' | 'device';
  /**
   * Bytes of each of the two groups of a bounce buffer, of which one fills while the other drains; a rank has one buffer for each peer over the network.
   */
  bounceBytes: number;
  /**
   * Transfers that a rank has in flight at a time.
   */
  maxConcurrentTransfers: number;
  /**
   * cuda: thread blocks of a copy kernel.
   */
  maxCtas: number;
  /**
   * Layers that keep anything.
   */
  numLayers: number;
}
export interface TransferLayout {
  /**
   * fullyContiguous: a block is one run of bytes; layerSeparate: one buffer per layer.
   */
  kind: 'fullyContiguous' | 'layerSeparate';
  /**
   * layerSeparate only. first: [block, outer, page, inner] in a layer; second: [outer, block, page, inner].
   */
  blockDim: 'first' | 'second';
  /**
   * Tokens per block.
   */
  pageSize: number;
  /**
   * Blocks start at multiples of this many bytes; a power of two.
   */
  alignment: number;
  /**
   * Order within a region: [token, head, ...] or [head, token, ...].
   */
  headOrder: 'tokenMajor' | 'headMajor';
  /**
   * Instead of numLayers, outerDim and innerDim, or groups: a preset, or the path of a Hugging Face config.json.
   */
  model?: string;
  /**
   * With model: the layers of multi-token prediction count as well. Default false.
   */
  mtp?: boolean;
  /**
   * Where layers are not alike: groups of layers, in the order of a block.
   */
  groups: KvLayoutGroup[];
  /**
   * With model or groups: blocks hold only this group.
   */
  group?: string;
  /**
   * Bytes of an element.
   */
  dtypeWidthBytes?: 1 | 2 | 4 | 8;
}
export interface KvLayoutGroup {
  /**
   * Name of the group, once in a layout: full, window, latent, index, ...
   */
  name: string;
  /**
   * Its layers of the model.
   */
  layers: number[];
  /**
   * kv: K and V of heads; latent: one vector per token; index: keys of an indexer; state: kept once per sequence, not in blocks.
   */
  kind: 'kv' | 'latent' | 'index' | 'state';
  /**
   * KV heads of the whole model; with kind latent or index 1, with state 0.
   */
  kvHeads: number;
  /**
   * Elements of a head's K; of the whole vector with kind latent or index.
   */
  headDimK: number;
  /**
   * Elements of a head's V; 0: one vector holds everything.
   */
  headDimV: number;
  /**
   * Tokens after which an entry is no longer kept; null: kept for the whole context.
   */
  window: null | number;
  /**
   * Bytes of an element.
   */
  dtypeWidthBytes: 1 | 2 | 4 | 8;
  /**
   * Bytes that all its layers keep for one token: checked against the other keys.
   */
  bytesPerToken: number;
  /**
   * Bytes per token and layer in addition to the elements: scales of an 8-bit index.
   */
  scaleBytes?: number;
  /**
   * A cache that keeps one entry for several tokens.
   */
  compression?: {
    /**
     * pooled: an entry stands for `ratio` tokens.
     */
    how: 'pooled' | 'aged';
    /**
     * Tokens per entry.
     */
    ratio: number;
  };
  /**
   * state: elements of all its layers for one sequence; reported, not moved.
   */
  stateElements?: null | number;
}
