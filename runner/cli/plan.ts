/** `railrunner plan SPEC` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import { loadOptions, withSpecOptions } from './spec-options.js';
import type { SpecArguments } from './spec-options.js';

interface PlanArguments extends SpecArguments {
  readonly spec: string;
  readonly worldSize: number;
}

export const planCommand = (loadKinds: LoadKinds): CommandModule<object, PlanArguments> => ({
  command: 'plan <spec>',
  describe: 'Print every point with its bytes and memory per rank, before anything is allocated',
  builder: (yargs) =>
    withSpecOptions(yargs)
      .positional('spec', { type: 'string', demandOption: true, describe: 'Path of a JSON spec' })
      .option('world-size', { type: 'number', default: 1, describe: 'Ranks to plan for' })
      .check((argv) => {
        const worldSize = (argv as { worldSize?: number }).worldSize ?? 1;
        if (Number.isSafeInteger(worldSize) && worldSize >= 1 && worldSize <= 65_536) return true;
        throw new Error(`--world-size: expected a whole number from 1 to 65536, received ${worldSize}`);
      }) as never,
  handler: async (argv) => {
    const [kinds, { finish }, { planSpec }, { readEnvironment }] = await Promise.all([
      loadKinds(),
      import('./command-result.js'),
      import('./plan-spec.js'),
      import('../environment/variables.js'),
    ]);
    finish(planSpec(argv.spec, argv.worldSize, loadOptions(argv, kinds, readEnvironment().variables)));
  },
});
