/** `railrunner example KIND` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import { withOptions, type CliOptions } from './options.js';

interface ExampleArguments {
  readonly kind: string;
}

const EXAMPLE_OPTIONS: CliOptions<ExampleArguments> = {
  kind: { positional: true, type: 'string', required: true, describe: 'A kind of job' },
};

export const exampleCommand = (loadKinds: LoadKinds): CommandModule<object, ExampleArguments> => ({
  command: 'example <kind>',
  describe: 'Print a small commented spec of one kind of job, to start from',
  builder: (yargs) => withOptions(yargs, EXAMPLE_OPTIONS),
  handler: async (argv) => {
    const [kinds, { finish }, { exampleSpec }] = await Promise.all([
      loadKinds(),
      import('./command-result.js'),
      import('./example-spec.js'),
    ]);
    finish(exampleSpec(argv.kind, kinds));
  },
});
