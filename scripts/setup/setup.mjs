/**
 * The setup that `npm run quickstart` and `npm test` run first. Plain JavaScript with only Node's own modules: it
 * runs before anything is installed. Every step first looks whether it is needed, so a second run takes a moment.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureAddon, ensureTypeScript } from './builds.mjs';
import { recordCommit } from './commit.mjs';
import { checkNodeVersion } from './node-version.mjs';
import { ensureNodeModules } from './node-modules.mjs';
import { SetupFailure, say } from './say.mjs';
import { ensureSystemPackages } from './system-packages.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Exit status 3, as railrunner's own for "the environment is not there". */
const ENVIRONMENT = 3;

/** @param {'run' | 'test'} purpose */
export function setUp(purpose) {
  const started = performance.now();
  try {
    checkNodeVersion(root);
    ensureSystemPackages(purpose);
    ensureNodeModules(root);
    ensureTypeScript(root);
    ensureAddon(root);
    recordCommit(root);
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error;
    say(error.message);
    process.exit(ENVIRONMENT);
  }
  say(`ready after ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  setUp(process.argv[2] === 'test' ? 'test' : 'run');
