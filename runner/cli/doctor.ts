/** `railrunner doctor [SPEC]` */
import type { CommandModule } from 'yargs';
import type { LoadKinds } from '../job/kind.js';
import { wholeNumber, withOptions, type CliOptions } from './options.js';
import { SPEC_OPTIONS } from './spec-options.js';
import type { DoctorArguments } from './run-doctor.js';

const NUMBER_OF_RANKS = wholeNumber(1, 65_536);

const DOCTOR_OPTIONS: CliOptions<DoctorArguments> = {
  ...SPEC_OPTIONS,
  spec: {
    positional: true,
    type: 'string',
    describe: 'Path of a JSON spec to check: exit 3 if it cannot run here',
  },
  worldSize: {
    type: 'number',
    describe: "Ranks of the run [default: the launcher's, else 1]",
    expected: NUMBER_OF_RANKS,
  },
  ranksHere: {
    type: 'number',
    describe: "Ranks of these on this machine [default: the launcher's, else all]",
    expected: NUMBER_OF_RANKS,
  },
  json: { type: 'boolean', default: false, describe: 'Print JSON instead of a table' },
};

export const doctorCommand = (loadKinds: LoadKinds): CommandModule<object, DoctorArguments> => ({
  command: 'doctor [spec]',
  describe:
    'Check this machine for anything that would distort a measurement, and whether a spec can run here',
  builder: (yargs) => withOptions(yargs, DOCTOR_OPTIONS),
  handler: async (argv) => {
    const [kinds, { finish }, { doctor }] = await Promise.all([
      loadKinds(),
      import('./command-result.js'),
      import('./run-doctor.js'),
    ]);
    finish(await doctor(argv, kinds));
  },
});
