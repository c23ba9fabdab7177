/** `npm run quickstart`: setup, then the quickstart's spec on 4 ranks of this machine. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root, setUp } from './setup/setup.mjs';

setUp('run');
const args = ['launch', '-n', '4', join('configs', 'quickstart.json'), ...process.argv.slice(2)];
const child = spawn(join(root, 'bin', 'railrunner'), args, { cwd: root, stdio: 'inherit' });
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.on(signal, () => child.kill(signal));
child.on('exit', (status, signal) => {
  process.exitCode = signal ? 1 : (status ?? 1);
});
