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
  out: { type: 'string', default: 'results', describe: 'Folder that the run gets its own folder in' },
  runId: { type: 'string', describe: 'Name of the run [default: UTC time and a random part]' },
  resume: {
    type: 'string',
    describe: 'Go on with the run in this folder: points that are whole on all ranks are not run again',
    conflicts: ['runId'],
  },
  shard: {
    type: 'string',
    describe: 'Run one part of the points: I/N, or slurm for the place of this task in its job array',
  },
  points: {
    type: 'string',
    describe: 'Run these points only: numbers as `plan` lists them, for example 0,3,7-9',
  },
};

/** The same options as command line words, for the ranks that `launch` starts. */
export function runWords(args: RunArguments): string[] {
  return ['run', ...wordsOf(RUN_OPTIONS, args)];
}
