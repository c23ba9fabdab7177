/** The only door to the addon: loaded on first use, so that commands without native work need no build. */
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, RunnerError } from '../errors.js';
import { projectRoot } from '../project.js';
import type { NativeAddon } from './types/index.js';

export const ADDON_FILE = 'railrunner.node';

let loaded: NativeAddon | undefined;

/** Folder that holds railrunner.node and the MPI plug-ins: the bundle's, or the build's. */
export function nativeFolder(): string {
  const bundled = join(projectRoot, 'native');
  if (existsSync(join(bundled, ADDON_FILE))) return bundled;
  return join(projectRoot, 'build', 'Release');
}

export function addon(): NativeAddon {
  if (loaded) return loaded;
  const path = join(nativeFolder(), ADDON_FILE);
  if (!existsSync(path)) {
    throw new RunnerError(
      'E_ADDON_MISSING',
      `the native addon is not built: expected ${path}. Build it with: npm run build`,
    );
  }
  try {
    // The compiler sees no types of native code: runner/native/types describes what native/binding registers.
    loaded = createRequire(import.meta.url)(path) as NativeAddon;
  } catch (error) {
    throw new RunnerError(
      'E_ADDON_MISSING',
      `the native addon does not load: ${messageOf(error)}. It was probably built for another machine or Node; rebuild it with: npm run build`,
      { cause: error },
    );
  }
  return loaded;
}
