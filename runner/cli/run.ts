/** `railrunner run SPEC`, started on every rank. */
import type { CommandModule } from 'yargs';
import { runOptions, type RunArguments } from './run-options.js';

export const runCommand: CommandModule<object, RunArguments> = {
  command: 'run <spec>',
  describe: 'Run a spec on every rank (start it with mpirun or srun; alone it is a world of one)',
  builder: (argv) => runOptions(argv),
  handler: async (args) => {
    const [{ runOnThisRank }, { JOB_KINDS }, { loadOptions }] = await Promise.all([
      import('../engine/run.js'),
      import('../../jobs/index.js'),
      import('./spec-options.js'),
    ]);
    process.exitCode = await runOnThisRank({
      specPath: args.spec,
      outFolder: args.out,
      runId: args.runId,
      kinds: JOB_KINDS,
      load: loadOptions(args, JOB_KINDS),
    });
  },
};
