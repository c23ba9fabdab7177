/** Commands under the launchers of both MPIs, on this machine. */
import { railrunner, run, start, type Finished, type RunOptions, type Running } from './run-cli.js';

export const MPIS = ['openmpi', 'mpich'] as const;
export type Mpi = (typeof MPIS)[number];

export interface MpirunOptions extends RunOptions {
  readonly mpi: Mpi;
  readonly ranks: number;
  /** Options of the launcher itself, before the command. */
  readonly launcherArgs?: readonly string[];
}

/** The launcher and its arguments in front of `command`: root allowed, more ranks than cores allowed. */
export function mpirunLine(options: MpirunOptions, command: readonly string[]): [string, string[]] {
  const extra = options.launcherArgs ?? [];
  const ranks = ['-n', String(options.ranks)];
  if (options.mpi === 'mpich') return ['mpirun.mpich', [...ranks, ...extra, ...command]];
  // All ranks are here: no remote shell is looked for, which a machine may lack.
  const here = ['--allow-run-as-root', '--oversubscribe', '--mca', 'plm', 'isolated'];
  return ['mpirun.openmpi', [...here, ...ranks, ...extra, ...command]];
}

export function startMpirun(options: MpirunOptions, command: readonly string[]): Running {
  const [launcher, args] = mpirunLine(options, command);
  return start(launcher, args, options);
}

export function mpirun(options: MpirunOptions, command: readonly string[]): Promise<Finished> {
  const [launcher, args] = mpirunLine(options, command);
  return run(launcher, args, options);
}

/** `railrunner ARGS` on every rank. */
export function mpirunCli(options: MpirunOptions, args: readonly string[]): Promise<Finished> {
  return mpirun(options, [process.execPath, railrunner, ...args]);
}
