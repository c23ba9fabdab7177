/** `railrunner validate SPEC...` */
import type { CommandModule } from 'yargs';
import { withSpecOptions } from './spec-options.js';
import type { SpecArguments } from './spec-options.js';

interface ValidateArguments extends SpecArguments {
  readonly specs: readonly string[];
}

export const validateCommand: CommandModule<object, ValidateArguments> = {
  command: 'validate <specs..>',
  describe: 'Check specs and list every fault; needs no MPI, no GPU and no native build',
  builder: (yargs) =>
    withSpecOptions(yargs).positional('specs', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'Paths of JSON specs',
    }) as never,
  handler: async (argv) => {
    const [{ finish }, { validateSpecs }] = await Promise.all([
      import('./command-result.js'),
      import('./validate-specs.js'),
    ]);
    finish(validateSpecs(argv.specs, argv));
  },
};
