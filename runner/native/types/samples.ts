/** What every measured loop and every comparison takes and gives back. */

export interface SampleOptions {
  readonly warmup: number;
  readonly iterations: number;
  readonly freeRunning: boolean;
}

/** What a measured loop brings back; samples stay in the order they were taken. */
export interface SampleSet {
  readonly timesUs: Float64Array;
  /** Last minus first rank of the node through the gate, one a gated sample. */
  readonly entrySkewUs: Float64Array;
  /** True when a stop word ended the loop early. */
  readonly stopped: boolean;
}

/** Outcome of a comparison of memory with what must be there. */
export interface CheckResult {
  /** 8-byte words compared. */
  readonly checked: number;
  readonly wrong: number;
  /** Place of the first wrong word in words ("block 3 layer 0 outer 1 word 17: expected 0x.., found 0x.."); '' if none. */
  readonly firstBad: string;
}
