/** A resolved replay job. Generated from jobs/replay/resolved-schema.ts by `npm run generate`. */

export interface ReplaySpec {
  /**
   * Name of the job, once in a spec: letters, digits, _ and -, at most 64.
   */
  id: string;
  kind: 'replay';
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
   * The requests.
   */
  trace: {
    /**
     * Request trace whose lines name prefix blocks, plain or as .gz or .zst; only rank 0 reads it. docs/replay.md has the formats.
     */
    path: string;
    /**
     * Tokens per hash id; absent: 512 if that fits the file, else the power of two that does.
     */
    blockTokens: number;
    /**
     * Requests to skip.
     */
    skip: number;
    /**
     * Most requests to read; absent: all.
     */
    requests?: number;
    /**
     * refuse: an invalid line ends the point before anything moves; count: it is skipped and counted.
     */
    onBadLine: 'refuse' | 'count';
    /**
     * As its first lines tell it.
     */
    format: string;
    /**
     * Of the file's bytes.
     */
    sha256: string;
  };
  /**
   * sharded: every rank has its own tiers; replicated: host and disk are only on the root, and its loads reach every rank.
   */
  mode: 'sharded' | 'replicated';
  layout: ReplayLayout;
  hostLayout: ReplayLayout;
  diskLayout: ReplayLayout;
  /**
   * Capacity of each tier, in prefix blocks of the trace.
   */
  pools: {
    /**
     * Prefix blocks of the trace that the device tier of a rank holds.
     */
    deviceBlocks: number;
    /**
     * Prefix blocks of the trace that the host tier of a rank holds; absent: no such tier.
     */
    hostBlocks?: number;
    /**
     * Prefix blocks of the trace that the disk tier of a rank holds; absent: no such tier.
     */
    diskBlocks?: number;
    /**
     * Folder of the disk pool, on every rank.
     */
    diskPath: string;
  };
  /**
   * Which block a full tier evicts.
   */
  policy: 'lru' | 's3fifo' | 'slru' | 'arc' | 'ttl';
  /**
   * policy ttl: evict blocks unused for this long, by the trace's clock.
   */
  ttlSeconds: number;
  /**
   * Host and disk admit a block after this many uses.
   */
  minUses: number;
  /**
   * Whether a request's last block is cached if it is not full.
   */
  shortBlock: 'cached' | 'notCached';
  /**
   * asFastAsPossible: each request follows the previous one; recorded: none begins before its recorded time (open loop); sessions: a request of a session waits for the end of the previous one and its delay (closed loop).
   */
  pacing: 'asFastAsPossible' | 'recorded' | 'sessions';
  /**
   * Recorded times and delays are divided by it.
   */
  speedup: number;
  /**
   * Number of windows of equal size into which the counted requests are split, each with a row in the rank files.
   */
  windows: number;
  /**
   * Requests that fill the tiers before counting starts.
   */
  warmupRequests: number;
  /**
   * sharded: memcpy, memcpyBatch, kernel, staged or auto, of all copies; replicated: rootBroadcast, pipelined, scatterAllgather, ipc or auto, of loads.
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
export interface ReplayLayout {
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
