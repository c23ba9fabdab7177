/** What a rank takes from the process that it runs in. The simulator (test/simulation) runs all ranks in one and hands in others. */
import type { Launcher } from '../environment/launcher.js';
import { addon } from '../native/binding.js';
import type { NativeAddon } from '../native/types/index.js';
import { currentLauncher, openWorld, type MpiWorld, type OpenWorldOptions } from '../world/world.js';

export interface RankProcess {
  /** Who started it; good before and without MPI. */
  launcher(): Launcher;
  /** Loaded on first use. Throws E_ADDON_MISSING. */
  addon(): NativeAddon;
  /** Collective, once per process. */
  openWorld(options: OpenWorldOptions): Promise<MpiWorld>;
  /** Where its signals arrive. */
  readonly signals: Pick<NodeJS.Process, 'on' | 'off'>;
}

export const OWN_PROCESS: RankProcess = { launcher: currentLauncher, addon, openWorld, signals: process };
