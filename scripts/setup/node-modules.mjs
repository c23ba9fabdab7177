/** `npm ci`, only when node_modules does not hold what package-lock.json asks for. */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupFailure, say, tail } from './say.mjs';

/** @typedef {{ version?: string, integrity?: string, optional?: boolean }} LockedPackage */

/** @returns {Record<string, LockedPackage>} */
function lockedPackages(/** @type {string} */ path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
}

/**
 * Compares the lock with the copy of it that npm leaves in node_modules: no stamp of ours that could lie. Packages for
 * other systems are optional and may be absent.
 */
export function modulesAreCurrent(/** @type {string} */ root) {
  const installedLock = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedLock)) return false;
  const wanted = lockedPackages(join(root, 'package-lock.json'));
  const present = lockedPackages(installedLock);
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = present[path];
    if (!found) return entry.optional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

export function ensureNodeModules(/** @type {string} */ root) {
  if (modulesAreCurrent(root)) return;
  const folder = join(root, 'node_modules');
  if (existsSync(folder) && lstatSync(folder).isSymbolicLink()) {
    // Somebody shares one folder between checkouts: theirs to bring up to date, not ours to replace.
    say(`warning: ${folder} is a link, and holds other versions than package-lock.json asks for`);
    return;
  }
  say('installing npm packages (npm ci)');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (result.status === 0) return;
  const output = result.error ? String(result.error) : `${result.stdout}${result.stderr}`;
  throw new SetupFailure(
    `npm ci failed:\n${tail(output)}\n  Fix what it names (is a package registry reachable?) and run the same command again.`,
  );
}
