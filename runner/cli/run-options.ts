/** The options of `run`, which `launch` passes on unchanged. */
import { wordsOf, type CliOptions } from './options.js';
import { SPEC_OPTIONS, type SpecArguments } from './spec-options.js';

export interface RunArguments extends SpecArguments {
  readonly spec: string;
  readonly out: string;
  readonly runId: string | undefined;
  readonly resume: string | undefined;
  readonly shard: string | undefined;
  readonly points: string | undefined;
}

export const RUN_OPTIONS: CliOptions<RunArguments> = {
  ...SPEC_OPTIONS,
  spec: { positional: true, type: 'string', required: true, describe: 'Path of a JSON spec' },
  out: { type: 'string', default: 'results', describe: "Parent folder of the run's own folder" },
  runId: { type: 'string', describe: 'Name of the run [default: UTC time and a random part]' },
  resume: {
    type: 'string',
    describe: 'Continue the run in this folder, skipping points that every rank has completed',
    conflicts: ['runId'],
  },
  shard: {
    type: 'string',
    describe: 'Run one part of the points: I/N, or slurm to take it from the job array',
  },
  points: {
    type: 'string',
    describe: 'Run only these points: numbers as listed by `plan`, for example 0,3,7-9',
  },
};

/** The same options as command line words, for the ranks that `launch` starts. */
export function runWords(args: RunArguments): string[] {
  return ['run', ...wordsOf(RUN_OPTIONS, args)];
}
