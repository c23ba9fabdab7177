/** How many different ids there were: 8 to 32 bytes for each. */

export class DistinctIds {
  size = 0;
  #slots = new Float64Array(4096).fill(NaN);

  add(id: number): void {
    if (2 * this.size >= this.#slots.length) this.#grow();
    if (this.#insert(id)) this.size++;
  }

  /** False where it was there. */
  #insert(id: number): boolean {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const hash = Math.imul(id | 0, 0x9e3779b1) ^ Math.imul((id / 4294967296) | 0, 0x85ebca6b);
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const found = slots[slot] ?? 0;
      if (found === id) return false;
      if (Number.isNaN(found)) {
        slots[slot] = id;
        return true;
      }
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Float64Array(2 * old.length).fill(NaN);
    for (const id of old) if (!Number.isNaN(id)) this.#insert(id);
  }
}
