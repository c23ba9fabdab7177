/** `railrunner schema [KIND]` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import { withOptions, type CliOptions } from './options.js';

interface SchemaArguments {
  readonly kind: string | undefined;
}

const SCHEMA_OPTIONS: CliOptions<SchemaArguments> = {
  kind: {
    positional: true,
    type: 'string',
    describe: 'A kind of job [default: all of them in one document]',
  },
};

export const schemaCommand = (loadKinds: LoadKinds): CommandModule<object, SchemaArguments> => ({
  command: 'schema [kind]',
  describe: 'Print the JSON Schema of specs, or of one kind of job',
  builder: (yargs) => withOptions(yargs, SCHEMA_OPTIONS),
  handler: async (argv) => {
    const [kinds, { finish }, { printSchema }] = await Promise.all([
      loadKinds(),
      import('./command-result.js'),
      import('./print-schema.js'),
    ]);
    finish(printSchema(argv.kind, kinds));
  },
});
