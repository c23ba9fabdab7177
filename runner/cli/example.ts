/** `railrunner example KIND` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';

interface ExampleArguments {
  readonly kind: string;
}

export const exampleCommand = (loadKinds: LoadKinds): CommandModule<object, ExampleArguments> => ({
  command: 'example <kind>',
  describe: 'Print a small commented spec of one kind of job, to start from',
  builder: (yargs) =>
    yargs.positional('kind', { type: 'string', demandOption: true, describe: 'A kind of job' }),
  handler: async (argv) => {
    const [kinds, { finish }, { exampleSpec }] = await Promise.all([
      loadKinds(),
      import('./command-result.js'),
      import('./example-spec.js'),
    ]);
    finish(exampleSpec(argv.kind, kinds));
  },
});
