/** `railrunner run SPEC`, started on every rank. */
import type { CommandModule } from 'yargs';
import { runOptions, type RunArguments } from './run-options.js';

export const runCommand: CommandModule<object, RunArguments> = {
  command: 'run <spec>',
  describe: 'Run a spec on every rank (start it with mpirun or srun; alone it is a world of one)',
  builder: (argv) => runOptions(argv),
  handler: async (args) => {
    const { runOnThisRank } = await import('../engine/run.js');
    process.exitCode = await runOnThisRank(args);
  },
};
