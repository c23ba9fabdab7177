/** `railrunner launch -n N SPEC`: the mpirun line for this machine, printed and started. */
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { printOut } from '../print.js';
import type { LoadKinds } from '../job/kind.js';
import { loadOptions } from './spec-options.js';
import { withOptions, type CliOptions } from './options.js';
import { RUN_OPTIONS, runWords, type RunArguments } from './run-options.js';

export interface LaunchArguments extends RunArguments {
  readonly n: number;
  readonly mpi: 'openmpi' | 'mpich' | undefined;
  readonly printOnly: boolean;
}

const LAUNCH_OPTIONS: CliOptions<LaunchArguments> = {
  ...RUN_OPTIONS,
  n: { type: 'number', required: true, describe: 'Number of ranks' },
  mpi: { choices: ['openmpi', 'mpich'], describe: 'MPI to use [default: the first one found]' },
  printOnly: { type: 'boolean', default: false, describe: 'Print the mpirun command without running it' },
};

export const launchCommand = (loadKinds: LoadKinds): CommandModule<object, LaunchArguments> => ({
  command: 'launch <spec>',
  describe: 'Start -n ranks on this machine with mpirun and run a spec on them; prints the mpirun command',
  builder: (yargs) => withOptions(yargs, LAUNCH_OPTIONS),
  handler: async (args) => {
    const [
      { launchEnvironment, planLaunch, refuseNested },
      { startRanks },
      { makeRunId },
      { currentLauncher },
      { refuseLaunch, requireStartable },
      { readEnvironment },
      kinds,
    ] = await Promise.all([
      import('../launch/mpirun.js'),
      import('../launch/start-ranks.js'),
      import('../results/run-folder.js'),
      import('../world/world.js'),
      import('./refuse-launch.js'),
      import('../environment/variables.js'),
      loadKinds(),
    ]);
    // Errors of the command line and of the spec are printed by themselves, before mpirun starts.
    if (args.printOnly) requireStartable(args.n, { tasks: Infinity, source: '' });
    else {
      const { variables } = readEnvironment();
      await refuseLaunch({
        numRanks: args.n,
        specPath: args.spec,
        load: loadOptions(args, kinds, variables),
        outFolder: args.out,
        runId: args.runId,
        resume: args.resume,
        selection: { shard: args.shard, points: args.points },
        variables,
      });
    }
    // The name is chosen here, so that the manifest can be found at the end.
    const { runId = makeRunId() } = args;
    const named = args.resume === undefined ? { ...args, runId } : args;
    const line = planLaunch({ numRanks: args.n, mpi: args.mpi, command: runWords(named) });
    printOut(`+ ${line.text}`);
    if (args.printOnly) return;
    refuseNested(currentLauncher());
    const folder = args.resume ?? join(args.out, runId);
    const { stopGraceSeconds } = readEnvironment().settings;
    const environment = launchEnvironment(line);
    process.exitCode = await startRanks({ line, environment, folder, stopGraceSeconds });
  },
});
