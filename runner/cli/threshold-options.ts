/** What counts as a change, for `compare` and `ab`. */
import type { Argv } from 'yargs';
import type { ThresholdRequest } from '../compare/thresholds.js';

export interface ThresholdArguments {
  readonly threshold: number;
  readonly resolution: number;
  readonly keyThreshold: readonly string[];
}

export function withThresholdOptions<T>(yargs: Argv<T>): Argv<T & ThresholdArguments> {
  return yargs
    .option('threshold', {
      type: 'number',
      default: 3,
      describe: 'Smallest change that counts, in percent of the time',
    })
    .option('resolution', {
      type: 'number',
      default: 10,
      describe: 'A key that could hide a larger change than this, in percent, is too noisy',
    })
    .option('key-threshold', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'PATTERN=PERCENT: another threshold for the keys that fit (* stands for anything)',
    })
    .check((argv) => {
      for (const name of ['threshold', 'resolution'] as const) {
        const value = (argv as unknown as ThresholdArguments)[name];
        if (!(value > 0 && value <= 1000)) {
          throw new Error(`--${name}: expected a percentage above 0, at most 1000, received ${value}`);
        }
      }
      return true;
    }) as unknown as Argv<T & ThresholdArguments>;
}

export function thresholdsOf({ threshold, resolution, keyThreshold }: ThresholdArguments): ThresholdRequest {
  return { thresholdPct: threshold, resolutionPct: resolution, keyThresholds: keyThreshold };
}
