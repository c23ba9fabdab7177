/** The words of one rank that its native waits and loops read: native/core/run_control.h. */

export type AbortReason = 'none' | 'own' | 'peerFailed' | 'worldLost';

export class RunControl {
  #abort: AbortReason = 'none';
  stop = 0;
  iteration = -1;
  awaitedPeer = -1;
  heldUpBy: string | null = null;
  /** Waits that look again when a word changes. */
  readonly #watchers = new Set<() => void>();

  get abort(): AbortReason {
    return this.#abort;
  }

  set abort(reason: AbortReason) {
    this.#abort = reason;
    for (const look of this.#watchers) look();
  }

  /** Where no other reason is there yet. */
  endWaits(reason: AbortReason): void {
    if (this.#abort === 'none') this.abort = reason;
  }

  watch(look: () => void): () => void {
    this.#watchers.add(look);
    return () => void this.#watchers.delete(look);
  }
}
