/** Versions of the libraries that points of this run really used, for the manifest. */
import type { NativeAddon } from '../native/types/index.js';
import { within } from '../within.js';
import type { Row } from '../results/fields.js';

const PROBE_TIMEOUT_MS = 5000;

export class UsedLibraries {
  #nccl: string | null = null;
  #usedNetwork = false;

  // v8 ignore next 3 -- GPUs
  noteNccl(version: string): void {
    this.#nccl = version;
  }

  /** Rows name the transport of the network where they used one. */
  noteRows(rows: readonly Row[]): void {
    this.#usedNetwork ||= rows.some((row) => (row['network_transport'] ?? '') !== '');
  }

  /**
   * Asked when all points are done, so that nothing measured waits for it, and only where UCX has worked in this process.
   * Null: not used, or it does not answer.
   */
  async versions(addon: NativeAddon): Promise<{ readonly ucx: string | null; readonly nccl: string | null }> {
    return { ucx: this.#usedNetwork ? await ucxVersion(addon) : null, nccl: this.#nccl };
  }
}

async function ucxVersion(addon: NativeAddon): Promise<string | null> {
  let version = '';
  const asked = addon.probeNetwork().then((found) => void ({ version } = found));
  await within(PROBE_TIMEOUT_MS, asked);
  return version || null;
}
