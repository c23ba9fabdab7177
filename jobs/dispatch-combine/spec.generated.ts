/** A resolved dispatchCombine job. Generated from jobs/dispatch-combine/resolved-schema.ts by `npm run generate`. */

export type RoutingSpec =
  | {
      kind: 'uniform';
      /**
       * Share of choices that are replaced by -1 (no expert).
       */
      maskedFraction: number;
    }
  | {
      kind: 'zipf';
      /**
       * Share of choices that are replaced by -1 (no expert).
       */
      maskedFraction: number;
      /**
       * zipf: expert of popularity rank r is chosen in proportion to r^-exponent. Default 1.
       */
      exponent: number;
    }
  | {
      kind: 'powerLaw';
      /**
       * Share of choices that are replaced by -1 (no expert).
       */
      maskedFraction: number;
      /**
       * powerLaw: exponent of the bounded power law that expert loads follow. Default 1.01.
       */
      alpha: number;
    }
  | {
      kind: 'kHot';
      /**
       * Share of choices that are replaced by -1 (no expert).
       */
      maskedFraction: number;
      /**
       * kHot: how many experts are hot. Default 1.
       */
      hotExperts: number;
      /**
       * kHot: share of the choice weight that the hot experts have together. Default 0.8.
       */
      hotFraction: number;
    }
  | {
      kind: 'groupLimited';
      /**
       * Share of choices that are replaced by -1 (no expert).
       */
      maskedFraction: number;
      /**
       * groupLimited: number of groups of experts. Default 8.
       */
      numGroups: number;
      /**
       * groupLimited: groups that a token may choose from. Default 4.
       */
      topkGroups: number;
    }
  | {
      kind: 'file';
      /**
       * Share of choices that are replaced by -1 (no expert).
       */
      maskedFraction: number;
      /**
       * file: CSV with the header layer_id,expert_id,count, or JSONL with an array of numTopk ids per line.
       */
      path: string;
      /**
       * file: the layer_id of a CSV whose counts are used. Default 0.
       */
      layer: number;
      /**
       * Of the file's bytes.
       */
      sha256: string;
    };

export interface MoeSpec {
  /**
   * Name of the job, once in a spec: letters, digits, _ and -, at most 64.
   */
  id: string;
  kind: 'dispatchCombine';
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
   * Instead of hidden, numTopk and numExperts: a preset, or the path of a Hugging Face config.json. Its groups and identity experts become defaults of routing.
   */
  model?: string;
  /**
   * Elements of a token; padded to a multiple of 128 in messages.
   */
  hidden: number;
  /**
   * Experts per token.
   */
  numTopk: number;
  /**
   * Experts in total; a multiple of the world size.
   */
  numExperts: number;
  /**
   * Tokens of every rank, or a list with one number per rank.
   */
  numTokens: number | [number, ...number[]];
  /**
   * lowLatency: for few tokens (decode), no counts before the rows; highThroughput: for many (prefill), rows in an order that follows from the routing, memory for what arrives.
   */
  algorithm: 'lowLatency' | 'highThroughput';
  /**
   * highThroughput. sparse: a token goes to the ranks that host its experts; allGather: all tokens go to all ranks in one piece and are selected there; auto: allGather if a few calls show it to be faster on every rank.
   */
  strategy: 'auto' | 'sparse' | 'allGather';
  /**
   * highThroughput: the rows of each expert begin at a multiple of this.
   */
  expertAlignment: number;
  /**
   * highThroughput: all dispatches reuse the layout of the first one and exchange no counts.
   */
  reuseLayout: boolean;
  /**
   * highThroughput: combine applies the weights; false: the experts have applied them.
   */
  weighted: boolean;
  /**
   * highThroughput: multiprocessors of the GPU that a call may use.
   */
  smCount: number | 'auto';
  /**
   * highThroughput: memory for expert rows. exact: for this routing, known before rows move; worstCase: for any routing, without waiting for counts; a number: that many on each rank, a dispatch that needs more is refused.
   */
  receiveRows: ('exact' | 'worstCase') | number;
  /**
   * Upper bound of tokens per rank; sizes the buffers. Absent: the maximum of numTokens.
   */
  maxDispatchTokensPerRank: number;
  /**
   * Format in which tokens are sent to the experts; they return as bf16.
   */
  dispatchDtype: 'bf16' | 'fp8_e4m3';
  /**
   * fp8_e4m3: scales are powers of two.
   */
  roundScale: boolean;
  /**
   * expertMajor: one row per expert that a token chose; rankMajor: one row per token, and the experts reduce.
   */
  outputLayout: 'expertMajor' | 'rankMajor';
  /**
   * split: send and receive are timed separately.
   */
  phases: 'fused' | 'split';
  /**
   * Experts write into the send buffer, so that combine sends without copying; on the host device owners read their rows there.
   */
  zeroCopy: boolean;
  /**
   * on: a token is sent once per destination rank; off: once per expert; node: once per destination node, where it is forwarded by ipc.
   */
  dedup: 'auto' | 'on' | 'off' | 'node';
  /**
   * hybrid: shared memory inside a node, the network between nodes; network: the network for all but self; ipc: never the network.
   */
  transport: 'hybrid' | 'network' | 'ipc';
  /**
   * Threads that drive the network on each rank; auto is 1 on the host device, 4 on GPUs.
   */
  numProxies: number | 'auto';
  routing: RoutingSpec;
}
