/**
 * Bandwidths, in GB/s with GB = 1e9 bytes. The time of every one is the median sample (`t_p50_us`): one number that a
 * single preempted sample cannot move, and that any reader can divide again. docs/measuring.md has each formula with
 * its source and the bytes that it counts.
 */

/** 1e9 bytes per second are 1000 bytes a microsecond. */
const BYTES_PER_US_AT_1_GBPS = 1000;

export interface BandwidthInput {
  /** The median time of one iteration. */
  readonly timeUs: number;
  readonly payloadBytes?: number | undefined;
  readonly logicalBytes?: number | undefined;
  /** busbw / algbw: only where nccl-tests defines one for the primitive. */
  readonly busbwFactor?: number | undefined;
  /** The probed limit of the same run. */
  readonly peakGBps?: number | undefined;
}

/** Undefined = has no meaning here, an empty field in the CSV. */
export interface Bandwidths {
  readonly algbwGBps: number | undefined;
  readonly busbwGBps: number | undefined;
  readonly logbwGBps: number | undefined;
  readonly pctOfPeak: number | undefined;
}

/** bytes / time. Undefined where bytes are unknown or none, or where the clock saw no time pass. */
export function bandwidthGBps(bytes: number | undefined, timeUs: number): number | undefined {
  if (bytes === undefined || !(bytes > 0) || !(timeUs > 0)) return undefined;
  return bytes / (timeUs * BYTES_PER_US_AT_1_GBPS);
}

export function percentOf(value: number | undefined, whole: number | undefined): number | undefined {
  if (value === undefined || whole === undefined || !(whole > 0)) return undefined;
  return (100 * value) / whole;
}

export function bandwidths(input: BandwidthInput): Bandwidths {
  const algbwGBps = bandwidthGBps(input.payloadBytes, input.timeUs);
  const factor = input.busbwFactor;
  return {
    algbwGBps,
    busbwGBps: algbwGBps === undefined || factor === undefined ? undefined : algbwGBps * factor,
    logbwGBps: bandwidthGBps(input.logicalBytes, input.timeUs),
    pctOfPeak: percentOf(algbwGBps, input.peakGBps),
  };
}
