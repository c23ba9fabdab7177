/** `railrunner plan SPEC` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import { wholeNumber, withOptions, type CliOptions } from './options.js';
import { loadOptions, SPEC_OPTIONS, type SpecArguments } from './spec-options.js';

interface PlanArguments extends SpecArguments {
  readonly spec: string;
  readonly worldSize: number;
}

const PLAN_OPTIONS: CliOptions<PlanArguments> = {
  ...SPEC_OPTIONS,
  spec: { positional: true, type: 'string', required: true, describe: 'Path of a JSON spec' },
  worldSize: {
    type: 'number',
    default: 1,
    describe: 'Number of ranks to plan for',
    expected: wholeNumber(1, 65_536),
  },
};

export const planCommand = (loadKinds: LoadKinds): CommandModule<object, PlanArguments> => ({
  command: 'plan <spec>',
  describe: 'Print every point with its bytes and memory per rank, before anything is allocated',
  builder: (yargs) => withOptions(yargs, PLAN_OPTIONS),
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
