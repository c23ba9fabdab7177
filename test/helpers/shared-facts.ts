/** Public data that is not part of the project: a folder next to it, or the one that RAILRUNNER_SHARED names. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import type { Missing } from './require.js';

export function sharedPath(...parts: readonly string[]): string {
  return join(process.env['RAILRUNNER_SHARED'] ?? resolve(projectRoot, '../shared'), ...parts);
}

export function needsShared(...parts: readonly string[]): Missing {
  return existsSync(sharedPath(...parts))
    ? false
    : `needs ${join('..', 'shared', ...parts)} next to the project`;
}
