/** `railrunner doctor [SPEC]` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import { withSpecOptions } from './spec-options.js';
import type { DoctorArguments } from './run-doctor.js';

const MOST_RANKS = 65_536;

function checkRanks(argv: { readonly worldSize?: number; readonly ranksHere?: number }): true {
  for (const [name, value] of Object.entries({
    'world-size': argv.worldSize,
    'ranks-here': argv.ranksHere,
  })) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= MOST_RANKS)) continue;
    throw new Error(`--${name}: expected a whole number from 1 to ${MOST_RANKS}, received ${value}`);
  }
  return true;
}

export const doctorCommand = (loadKinds: LoadKinds): CommandModule<object, DoctorArguments> => ({
  command: 'doctor [spec]',
  describe: 'Say what this machine offers, what would mislead a measurement, and whether a spec can run here',
  builder: (yargs) =>
    withSpecOptions(yargs)
      .positional('spec', {
        type: 'string',
        describe: 'Path of a JSON spec to judge: exit 3 if it cannot run here',
      })
      .option('world-size', {
        type: 'number',
        describe: "Ranks of the run [default: the launcher's, else 1]",
      })
      .option('ranks-here', {
        type: 'number',
        describe: "Of these, ranks on this machine [default: the launcher's, else all]",
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print JSON instead of a table' })
      .check((argv) => checkRanks(argv as never)) as never,
  handler: async (argv) => {
    const [kinds, { finish }, { doctor }] = await Promise.all([
      loadKinds(),
      import('./command-result.js'),
      import('./run-doctor.js'),
    ]);
    finish(await doctor(argv, kinds));
  },
});
