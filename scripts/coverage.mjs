/** `npm run coverage [-- PART_OF_A_FILE_NAME...]`: setup, then the tests, recording what of runner/ and jobs/ they execute. */
import { setUp } from './setup/setup.mjs';

setUp('test');
const { measureCoverage } = await import('../dist/scripts/coverage/measure.js');
process.exitCode = await measureCoverage(process.argv.slice(2));
