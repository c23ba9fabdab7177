/** `npm run bundle [-- --out DIR] [-- --no-archive] [-- --with-tests]`: setup, then the bundle for machines without Node or network. */
import { setUp } from './setup/setup.mjs';

setUp('run');
const { bundle } = await import('../dist/scripts/bundle/main.js');
process.exitCode = await bundle(process.argv.slice(2));
