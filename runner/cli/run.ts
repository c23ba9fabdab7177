/** `railrunner run SPEC`, started on every rank. */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import { withOptions } from './options.js';
import { RUN_OPTIONS, type RunArguments } from './run-options.js';

export const runCommand = (loadKinds: LoadKinds): CommandModule<object, RunArguments> => ({
  command: 'run <spec>',
  describe: 'Run a spec on every rank (start it with mpirun or srun; without a launcher it runs as one rank)',
  builder: (yargs) => withOptions(yargs, RUN_OPTIONS),
  handler: async (args) => {
    const [{ runOnThisRank }, kinds, { loadOptions }, { readEnvironment }] = await Promise.all([
      import('../engine/run.js'),
      loadKinds(),
      import('./spec-options.js'),
      import('../environment/variables.js'),
    ]);
    process.exitCode = await runOnThisRank({
      specPath: args.spec,
      outFolder: args.out,
      runId: args.runId,
      resume: args.resume,
      selection: { shard: args.shard, points: args.points },
      kinds,
      load: loadOptions(args, kinds, readEnvironment().variables),
    });
  },
});
