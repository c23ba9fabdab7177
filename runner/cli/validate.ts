/** `railrunner validate SPEC...` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import { loadOptions, withSpecOptions } from './spec-options.js';
import type { SpecArguments } from './spec-options.js';

interface ValidateArguments extends SpecArguments {
  readonly specs: readonly string[];
}

export const validateCommand = (loadKinds: LoadKinds): CommandModule<object, ValidateArguments> => ({
  command: 'validate <specs..>',
  describe: 'Check specs and list every issue; needs no MPI, no GPU and no native build',
  builder: (yargs) =>
    withSpecOptions(yargs).positional('specs', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'Paths of JSON specs',
    }) as never,
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
