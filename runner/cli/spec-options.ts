/** The options that change a spec, the same for run, launch, validate and plan. Imports nothing at run time. */
import type { Argv } from 'yargs';
import type { Variables } from '../environment/variables.js';
import type { LoadOptions } from '../job-spec/load.js';
import type { SpecKind } from '../job-spec/spec-kind.js';
import type { DeviceRequest } from '../job-spec/types.js';

export interface SpecArguments {
  readonly set: readonly string[];
  readonly only: readonly string[];
  readonly device: DeviceRequest | undefined;
  readonly ranksPerNode: number | undefined;
  readonly timeout: number | undefined;
}

export function withSpecOptions<T>(yargs: Argv<T>): Argv<T & SpecArguments> {
  return yargs
    .option('set', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe:
        'Change a key of the spec: path=value (jobs.0.blocks=16, jobs.ID.order=shuffled, jobs.*.iterations=5)',
    })
    .option('only', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'Run these jobs alone: ID,...',
      coerce: (lists: string[]) => lists.flatMap((list) => list.split(',').filter((id) => id !== '')),
    })
    .option('device', {
      choices: ['cuda', 'host', 'auto'] as const,
      describe: "Instead of the spec's device",
    })
    .option('ranks-per-node', {
      type: 'number',
      describe: 'Cut hosts into emulated nodes of this many ranks; 0: nodes are hosts',
    })
    .option('timeout', { type: 'number', describe: 'Seconds for each stage of a point' })
    .check((argv) => {
      const { ranksPerNode, timeout } = argv as { ranksPerNode?: number; timeout?: number };
      if (ranksPerNode !== undefined && !(Number.isSafeInteger(ranksPerNode) && ranksPerNode >= 0)) {
        throw new Error(`--ranks-per-node: expected a whole number from 0, received ${ranksPerNode}`);
      }
      if (timeout !== undefined && !(timeout > 0 && timeout <= 86_400)) {
        throw new Error(`--timeout: expected seconds above 0, at most 86400, received ${timeout}`);
      }
      return true;
    }) as unknown as Argv<T & SpecArguments>;
}

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
