/** What counts as a change, for `compare` and `ab`. */
import type { ThresholdRequest } from '../compare/thresholds.js';
import type { CliOptions } from './options.js';

export interface ThresholdArguments {
  readonly threshold: number;
  readonly resolution: number;
  readonly keyThreshold: readonly string[];
}

const PERCENTAGE = [
  'a percentage above 0, at most 1000',
  (value: number) => value > 0 && value <= 1000,
] as const;

export const THRESHOLD_OPTIONS: CliOptions<ThresholdArguments> = {
  threshold: {
    type: 'number',
    default: 3,
    describe: 'Smallest change that counts, in percent of the time',
    expected: PERCENTAGE,
  },
  resolution: {
    type: 'number',
    default: 10,
    describe: 'Keys that could hide a larger change than this, in percent, are reported as too noisy',
    expected: PERCENTAGE,
  },
  keyThreshold: {
    array: true,
    nargs: 1,
    describe: 'PATTERN=PERCENT: a threshold for the keys that match (* matches anything)',
  },
};

export function thresholdsOf({ threshold, resolution, keyThreshold }: ThresholdArguments): ThresholdRequest {
  return { thresholdPct: threshold, resolutionPct: resolution, keyThresholds: keyThreshold };
}
