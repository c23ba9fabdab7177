/** A resolved offload, onboard or broadcast job. Generated from jobs/kv/resolved-schema.ts by `npm run generate`. */

export interface KvSpec {
  /**
   * Name of the job, once in a spec: letters, digits, _ and -, at most 64.
   */
  id: string;
  kind: 'offload' | 'onboard' | 'broadcast';
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
   * Tier that is read; absent: device to offload, host to onboard.
   */
  from: 'device' | 'host' | 'disk';
  /**
   * Tier that is written; absent: host to offload (disk where from is host), device to onboard.
   */
  to: 'device' | 'host' | 'disk';
  /**
   * sharded: every rank moves its own blocks; replicated: host and disk tiers are only on the root.
   */
  mode: 'sharded' | 'replicated';
  layout: KvLayout;
  hostLayout: KvLayout;
  diskLayout: KvLayout;
  /**
   * Capacity of each tier; absent: what the job moves. Order trace needs those of from and to.
   */
  pools: {
    /**
     * Blocks in the device pool of a rank.
     */
    deviceBlocks?: number;
    /**
     * Blocks in the host pool of a rank.
     */
    hostBlocks?: number;
    /**
     * Blocks in the disk pool of a rank.
     */
    diskBlocks?: number;
    /**
     * Folder of the disk pool, on every rank.
     */
    diskPath: string;
  };
  /**
   * Blocks that a rank moves in one iteration; absent: all that its smallest pool holds, or with order trace all that the trace touches.
   */
  blocks: number;
  /**
   * Which block ids are taken, and in what order.
   */
  order: 'sequential' | 'shuffled' | 'strided' | 'trace';
  /**
   * Only with order trace; path is as the spec has it.
   */
  trace?: {
    /**
     * Request trace whose lines name prefix blocks: Mooncake, Bailian or chained prefix hashes.
     */
    path: string;
    /**
     * Tokens per hash id; absent: 512 if that fits the file, else the power of two that does.
     */
    blockTokens: number;
    /**
     * Number of requests from the start of the trace; absent: all.
     */
    requests: number;
    /**
     * Of the trace's bytes.
     */
    sha256: string;
    /**
     * Blocks that move of each group whose window ends, in both directions together.
     */
    groupBlocks?: {
      [k: string]: number;
    };
  };
  /**
   * [start, end): layers that move; absent: all.
   *
   * @minItems 2
   * @maxItems 2
   */
  layerRange: [number, number];
  /**
   * The same number of other blocks moves in the opposite direction at the same time.
   */
  bidirectional: boolean;
  /**
   * sharded: memcpy, memcpyBatch, kernel, staged, auto; replicated: rootBroadcast, pipelined, scatterAllgather, ipc, independent, auto.
   */
  strategy:
    | 'memcpy'
    | 'memcpyBatch'
    | 'kernel'
    | 'staged'
    | 'auto'
    | 'rootBroadcast'
    | 'pipelined'
    | 'scatterAllgather'
    | 'ipc'
    | 'independent';
  /**
   * Blocks in one batch of copies.
   */
  maxTransferBatchSize: number;
  /**
   * Batches in flight at a time.
   */
  maxConcurrentTransfers: number;
  /**
   * Bytes per pipeline step, for strategies that overlap.
   */
  chunkBytes: 'auto' | number;
  /**
   * How the disk tier is accessed.
   */
  disk: {
    /**
     * Requests in flight.
     */
    queueDepth: number;
    /**
     * Largest request; longer runs are split.
     */
    requestBytes: number;
  };
  /**
   * replicated: rank with the tiers.
   */
  root: number;
  /**
   * replicated: most thread blocks that an NCCL collective may take; uncapped: NCCL decides.
   */
  maxCtas: 'uncapped' | number;
}
export interface KvLayout {
  /**
   * fullyContiguous: a block is one run of bytes; layerSeparate: one buffer per layer.
   */
  kind: 'fullyContiguous' | 'layerSeparate';
  /**
   * layerSeparate only. first: [block, outer, page, inner] in a layer; second: [outer, block, page, inner].
   */
  blockDim: 'first' | 'second';
  /**
   * Transformer layers per block.
   */
  numLayers: number;
  /**
   * 2: K and V apart; 1: together (MLA).
   */
  outerDim?: number;
  /**
   * Tokens per block.
   */
  pageSize: number;
  /**
   * Elements per token, layer and outer index: KV heads on this rank times head size.
   */
  innerDim?: number;
  /**
   * Bytes of an element.
   */
  dtypeWidthBytes: 1 | 2 | 4 | 8;
  /**
   * Blocks start at multiples of this many bytes; a power of two.
   */
  alignment: number;
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
  groups?: KvLayoutGroup[];
  /**
   * With model or groups: blocks hold only this group.
   */
  group?: string;
  /**
   * With model or groups: the KV heads are split over this many ranks.
   */
  tensorParallel?: number;
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
