/** The options that change a spec, the same for run, launch, validate, plan and doctor. Imports no work at run time. */
import type { Variables } from '../environment/variables.js';
import type { LoadOptions } from '../job-spec/load.js';
import type { SpecKind } from '../job-spec/spec-kind.js';
import type { DeviceRequest } from '../job-spec/types.js';
import { wholeNumber, type CliOptions } from './options.js';

export interface SpecArguments {
  readonly set: readonly string[];
  readonly only: readonly string[];
  readonly device: DeviceRequest | undefined;
  readonly ranksPerNode: number | undefined;
  readonly timeout: number | undefined;
}

export const SPEC_OPTIONS: CliOptions<SpecArguments> = {
  set: {
    array: true,
    nargs: 1,
    describe:
      'Change a key of the spec: path=value (jobs.0.blocks=16, jobs.ID.order=shuffled, jobs.*.iterations=5)',
  },
  only: {
    array: true,
    nargs: 1,
    split: true,
    describe: 'Run only these jobs: comma-separated ids',
  },
  device: { choices: ['cuda', 'host', 'auto'], describe: "Device to run on, in place of the spec's" },
  ranksPerNode: {
    type: 'number',
    describe: 'Split hosts into emulated nodes of this many ranks; 0: nodes are hosts',
    expected: wholeNumber(0),
  },
  timeout: {
    type: 'number',
    describe: 'Deadline of each stage of a point, in seconds',
    expected: ['seconds above 0, at most 86400', (value) => value > 0 && value <= 86_400],
  },
};

/** Every command that loads a spec hands in the environment, so that `validate` and `plan` see the jobs that `run` runs. */
export function loadOptions(
  argv: SpecArguments,
  kinds: readonly SpecKind[],
  variables: Variables,
): LoadOptions {
  return {
    kinds,
    variables,
    set: argv.set,
    only: argv.only,
    ...(argv.device === undefined ? {} : { device: argv.device }),
    ...(argv.ranksPerNode === undefined ? {} : { ranksPerNode: argv.ranksPerNode }),
    ...(argv.timeout === undefined ? {} : { timeoutSeconds: argv.timeout }),
  };
}
