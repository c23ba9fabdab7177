/** Keeps the few smallest of many keys, as a stable sort by key would put them first. */

/** Up to this many are kept by insertion; beyond it a sort is quicker. */
const MOST_INSERTED = 64;

export class Nearest {
  readonly #count: number;
  /** Ascending; equal keys in the order in which they were offered. */
  readonly #keys: Float64Array;
  readonly #ids: Int32Array;
  #held = 0;
  #limit = Infinity;

  /** `most`: the most that are offered between two calls of `clear`. */
  constructor(count: number, most: number) {
    this.#count = count;
    const room = count <= MOST_INSERTED ? count : most;
    this.#keys = new Float64Array(room);
    this.#ids = new Int32Array(room);
  }

  /** Forgets all. `limit`: no key from there on is wanted; a guess, where `isFull` is asked afterwards. */
  clear(limit = Infinity): void {
    this.#held = 0;
    this.#limit = limit;
  }

  /** As many were kept as were asked for. */
  get isFull(): boolean {
    return this.#held >= this.#count;
  }

  /** Returns the limit: no key from there on is kept. Loops ask before they call. */
  offer(key: number, id: number): number {
    const keys = this.#keys;
    if (this.#count > MOST_INSERTED) {
      keys[this.#held] = key;
      this.#ids[this.#held++] = id;
      return Infinity;
    }
    if (key >= this.#limit) return this.#limit;
    const ids = this.#ids;
    let at = this.#held < this.#count ? this.#held++ : this.#count - 1;
    for (; at > 0 && (keys[at - 1] ?? 0) > key; at--) {
      keys[at] = keys[at - 1] ?? 0;
      ids[at] = ids[at - 1] ?? 0;
    }
    keys[at] = key;
    ids[at] = id;
    if (this.#held === this.#count) this.#limit = keys[this.#count - 1] ?? 0;
    return this.#limit;
  }

  /** Writes what was kept from `at` on; as many as were asked for, if so many were offered. */
  copyTo(target: Int32Array, at: number): void {
    if (this.#count > MOST_INSERTED) this.#sort();
    const kept = Math.min(this.#held, this.#count);
    for (let index = 0; index < kept; index++) target[at + index] = this.#ids[index] ?? 0;
  }

  #sort(): void {
    const order = Uint32Array.from({ length: this.#held }, (_, index) => index);
    const keys = this.#keys;
    order.sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
    this.#ids.set(Int32Array.from(order, (index) => this.#ids[index] ?? 0));
  }
}
