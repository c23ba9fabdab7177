/** `railrunner validate SPEC...` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import { withOptions, type CliOptions } from './options.js';
import { loadOptions, SPEC_OPTIONS, type SpecArguments } from './spec-options.js';

interface ValidateArguments extends SpecArguments {
  readonly specs: readonly string[];
}

const VALIDATE_OPTIONS: CliOptions<ValidateArguments> = {
  ...SPEC_OPTIONS,
  specs: { positional: true, array: true, required: true, describe: 'Paths of JSON specs' },
};

export const validateCommand = (loadKinds: LoadKinds): CommandModule<object, ValidateArguments> => ({
  command: 'validate <specs..>',
  describe: 'Check specs and list every issue; needs no MPI, no GPU and no native build',
  builder: (yargs) => withOptions(yargs, VALIDATE_OPTIONS),
  handler: async (argv) => {
    const [kinds, { finish }, { validateSpecs }, { readEnvironment }] = await Promise.all([
      loadKinds(),
      import('./command-result.js'),
      import('./validate-specs.js'),
      import('../environment/variables.js'),
    ]);
    finish(validateSpecs(argv.specs, loadOptions(argv, kinds, readEnvironment().variables)));
  },
});
