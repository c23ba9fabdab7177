/** The world of ranks as TypeScript sees it: the native control plane plus JSON in both directions. */
import type { NativeWorld, WorldInfo } from '../native/types.js';

export interface World {
  readonly info: WorldInfo;
  readonly native: NativeWorld;
  /** Every rank's value, by rank. Collective. */
  allgatherJson<T>(value: T, timeoutMs: number): Promise<T[]>;
  /** The root's value on every rank. Collective; other ranks pass undefined. */
  broadcastJson<T>(value: T | undefined, root: number, timeoutMs: number): Promise<T>;
}
