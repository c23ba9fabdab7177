/** `npm test [-- PART_OF_A_FILE_NAME...]`: setup, then the tests; the last line is `N passed, N failed`. */
import { setUp } from './setup/setup.mjs';

setUp('test');
const { runAllTests } = await import('../dist/scripts/tests/main.js');
process.exitCode = await runAllTests(process.argv.slice(2));
