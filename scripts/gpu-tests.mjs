/** `npm run test:gpu [-- --out DIR] [-- PART_OF_A_FILE_NAME...]`: setup, then the tests that need GPUs, kept for the record. */
import { setUp } from './setup/setup.mjs';

setUp('test');
const { runGpuTests } = await import('../dist/scripts/tests/gpu.js');
process.exitCode = await runGpuTests(process.argv.slice(2));
