/** The options of `run`, which `launch` hands on unchanged. */
import type { Argv } from 'yargs';
import { withSpecOptions, type SpecArguments } from './spec-options.js';

export interface RunArguments extends SpecArguments {
  readonly spec: string;
  readonly out: string;
  readonly runId: string | undefined;
  readonly resume: string | undefined;
  readonly shard: string | undefined;
  readonly points: string | undefined;
}

export function runOptions<T>(argv: Argv<T>): Argv<T & RunArguments> {
  return withSpecOptions(argv)
    .positional('spec', { type: 'string', demandOption: true, describe: 'Path of a JSON spec' })
    .option('out', {
      type: 'string',
      default: 'results',
      describe: 'Folder that the run gets its own folder in',
    })
    .option('run-id', {
      type: 'string',
      describe: 'Name of the run [default: UTC time and a random part]',
    })
    .option('resume', {
      type: 'string',
      describe: 'Go on with the run in this folder: points that are whole on all ranks are not run again',
      conflicts: ['run-id'],
    })
    .option('shard', {
      type: 'string',
      describe: 'Run one part of the points: I/N, or slurm for the place of this task in its job array',
    })
    .option('points', {
      type: 'string',
      describe: 'Run these points only: numbers as `plan` lists them, for example 0,3,7-9',
    }) as never;
}

/** The same options as command line words, for the ranks that `launch` starts. */
export function runWords(args: RunArguments): string[] {
  const words = ['run', args.spec, '--out', args.out];
  if (args.runId !== undefined) words.push('--run-id', args.runId);
  if (args.resume !== undefined) words.push('--resume', args.resume);
  if (args.shard !== undefined) words.push('--shard', args.shard);
  if (args.points !== undefined) words.push('--points', args.points);
  for (const assignment of args.set) words.push('--set', assignment);
  if (args.only.length > 0) words.push('--only', args.only.join(','));
  if (args.device !== undefined) words.push('--device', args.device);
  if (args.ranksPerNode !== undefined) words.push('--ranks-per-node', String(args.ranksPerNode));
  if (args.timeout !== undefined) words.push('--timeout', String(args.timeout));
  return words;
}
