/** A resolved offload, onboard or broadcast job. Generated from jobs/kv/resolved-schema.ts by `npm run generate`. */

export interface KvSpec {
  /**
   * Name of the job, once in a spec: letters, digits, _ and -, at most 64.
   */
  id: string;
  kind: 'offload' | 'onboard' | 'broadcast';
  /**
   * Seed of the data and of the block order; the run's where absent.
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
   * Samples follow each other without a barrier between them.
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
   * Tier that is read.
   */
  from: 'device' | 'host' | 'disk';
  /**
   * Tier that is written.
   */
  to: 'device' | 'host' | 'disk';
  /**
   * sharded: every rank moves its own blocks; replicated: host and disk tiers are on the root alone.
   */
  mode: 'sharded' | 'replicated';
  layout: KvLayout;
  hostLayout: KvLayout;
  diskLayout: KvLayout;
  /**
   * Capacity of each tier; those of from and to must be there.
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
     * Folder that the disk pool lies in, on every rank.
     */
    diskPath: string;
  };
  /**
   * Blocks that a rank moves in one iteration; with order trace, absent means all that the trace touches.
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
     * File in the Mooncake JSONL format.
     */
    path: string;
    /**
     * Tokens that one hash id stands for; absent: 512 where that fits the file, else the power of two that does.
     */
    blockTokens: number;
    /**
     * Requests taken from the start of the trace; all where absent.
     */
    requests: number;
    /**
     * Of the trace's bytes.
     */
    sha256: string;
  };
  /**
   * [start, end): layers that move; all where absent.
   *
   * @minItems 2
   * @maxItems 2
   */
  layerRange: [number, number];
  /**
   * As many other blocks move the opposite way at the same time.
   */
  bidirectional: boolean;
  /**
   * sharded: memcpy, memcpyBatch, kernel, staged, auto; replicated: rootBroadcast, pipelined, scatterAllgather, independent, auto.
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
    | 'independent';
  /**
   * Blocks in one batch of copies.
   */
  maxTransferBatchSize: number;
  /**
   * Batches under way at a time.
   */
  maxConcurrentTransfers: number;
  /**
   * Bytes of a pipeline step of the strategies that overlap.
   */
  chunkBytes: 'auto' | number;
  /**
   * How the disk tier is driven.
   */
  disk: {
    /**
     * Requests under way.
     */
    queueDepth: number;
    /**
     * Largest request; longer runs are cut.
     */
    requestBytes: number;
  };
  /**
   * replicated: rank with the tiers.
   */
  root: number;
  /**
   * replicated: most thread blocks that an NCCL collective may take; uncapped: as many as NCCL wants.
   */
  maxCtas: 'uncapped' | number;
}
export interface KvLayout {
  /**
   * fullyContiguous: a block is one run of bytes; layerSeparate: one buffer a layer.
   */
  kind: 'fullyContiguous' | 'layerSeparate';
  /**
   * layerSeparate only. first: [block, outer, page, inner] in a layer; second: [outer, block, page, inner].
   */
  blockDim: 'first' | 'second';
  /**
   * Transformer layers in a block.
   */
  numLayers: number;
  /**
   * 2: K and V apart; 1: together (MLA).
   */
  outerDim: number;
  /**
   * Tokens in a block.
   */
  pageSize: number;
  /**
   * Elements a token, layer and outer index: KV heads on this rank times head size.
   */
  innerDim: number;
  /**
   * Bytes of an element.
   */
  dtypeWidthBytes: 1 | 2 | 4 | 8;
  /**
   * Blocks start at multiples of this many bytes; a power of two.
   */
  alignment: number;
  /**
   * Instead of numLayers, outerDim and innerDim: a preset, or the path of a Hugging Face config.json.
   */
  model?: string;
  /**
   * With model: the layers of multi-token prediction count as well. Default false.
   */
  mtp?: boolean;
  /**
   * With model: the KV heads are spread over this many ranks.
   */
  tensorParallel?: number;
}
