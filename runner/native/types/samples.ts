/** What every measured loop takes, and what a comparison gives back. */

export interface SampleOptions {
  readonly warmup: number;
  readonly iterations: number;
  readonly freeRunning: boolean;
}

/** Outcome of a comparison of memory with what must be there. */
export interface CheckResult {
  /** 8-byte words compared. */
  readonly checked: number;
  readonly wrong: number;
  /** Place of the first wrong word in words ("block 3 layer 0 outer 1 word 17: expected 0x.., found 0x.."); '' if none. */
  readonly firstBad: string;
}
