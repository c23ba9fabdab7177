/** Node must be at least the version that package.json's `engines` asks for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupFailure } from './say.mjs';

export function checkNodeVersion(/** @type {string} */ root, version = process.versions.node) {
  const range = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).engines.node;
  const wanted = /^>=(\d+)(?:\.(\d+))?/.exec(range);
  if (!wanted)
    throw new SetupFailure(`package.json: engines.node: expected ">=MAJOR[.MINOR]", received "${range}"`);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [needMajor, needMinor] = [Number(wanted[1]), Number(wanted[2] ?? 0)];
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  throw new SetupFailure(
    `Node ${range} is needed, this is ${version} (${process.execPath}).\n` +
      `  Install a newer one (https://nodejs.org/en/download), or put it first in PATH, and run the same command again.`,
  );
}
