/** `railrunner launch -n N SPEC`: the mpirun line for this machine, printed and started. */
import type { CommandModule } from 'yargs';
import { EXIT } from '../errors.js';
import { printOut } from '../print.js';
import { runOptions, runWords, type RunArguments } from './run-options.js';

export interface LaunchArguments extends RunArguments {
  readonly n: number;
  readonly mpi: 'openmpi' | 'mpich' | undefined;
  readonly printOnly: boolean;
}

export const launchCommand: CommandModule<object, LaunchArguments> = {
  command: 'launch <spec>',
  describe: 'Start -n ranks on this machine with mpirun and run a spec on them; prints the line it starts',
  builder: (argv) =>
    runOptions(argv)
      .option('n', { type: 'number', demandOption: true, describe: 'Number of ranks' })
      .option('mpi', {
        choices: ['openmpi', 'mpich'] as const,
        describe: 'Which MPI [default: the one found first]',
      })
      .option('print-only', {
        type: 'boolean',
        default: false,
        describe: 'Print the line and start nothing',
      }) as never,
  handler: async (args) => {
    const { planLaunch, runLaunch } = await import('../launch/mpirun.js');
    const line = planLaunch({ numRanks: args.n, mpi: args.mpi, command: runWords(args) });
    printOut(`+ ${line.text}`);
    process.exitCode = args.printOnly ? EXIT.ok : await runLaunch(line);
  },
};
