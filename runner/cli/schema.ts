/** `railrunner schema [KIND]` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';

interface SchemaArguments {
  readonly kind: string | undefined;
}

export const schemaCommand = (loadKinds: LoadKinds): CommandModule<object, SchemaArguments> => ({
  command: 'schema [kind]',
  describe: 'Print the JSON Schema of specs, or of one kind of job',
  builder: (yargs) =>
    yargs.positional('kind', {
      type: 'string',
      describe: 'A kind; all in one document where absent',
    }) as never,
  handler: async (argv) => {
    const [kinds, { finish }, { printSchema }] = await Promise.all([
      loadKinds(),
      import('./command-result.js'),
      import('./print-schema.js'),
    ]);
    finish(printSchema(argv.kind, kinds));
  },
});
