/** Doubly linked lists of slots, each slot in one of them at most: only arrays, nothing is allocated per block. */

export class SlotLists {
  readonly #previous: Int32Array;
  readonly #next: Int32Array;
  readonly #list: Int8Array;
  readonly #numSlots: number;
  /** Slots in each list. */
  readonly sizes: number[];

  constructor(numSlots: number, numLists: number) {
    this.#numSlots = numSlots;
    this.#previous = new Int32Array(numSlots + numLists);
    this.#next = new Int32Array(numSlots + numLists);
    this.#list = new Int8Array(numSlots).fill(-1);
    this.sizes = Array<number>(numLists).fill(0);
    for (let list = 0; list < numLists; list++) {
      this.#previous[numSlots + list] = numSlots + list;
      this.#next[numSlots + list] = numSlots + list;
    }
  }

  /** -1: in none. */
  listOf(slot: number): number {
    return this.#list[slot] ?? 0;
  }

  pushHead(list: number, slot: number): void {
    const head = this.#numSlots + list;
    const first = this.#next[head] ?? 0;
    this.#next[head] = slot;
    this.#previous[slot] = head;
    this.#next[slot] = first;
    this.#previous[first] = slot;
    this.#list[slot] = list;
    this.sizes[list] = (this.sizes[list] ?? 0) + 1;
  }

  remove(slot: number): void {
    const [previous, next] = [this.#previous[slot] ?? 0, this.#next[slot] ?? 0];
    this.#next[previous] = next;
    this.#previous[next] = previous;
    const list = this.#list[slot] ?? 0;
    this.sizes[list] = (this.sizes[list] ?? 0) - 1;
    this.#list[slot] = -1;
  }

  moveToHead(list: number, slot: number): void {
    this.remove(slot);
    this.pushHead(list, slot);
  }

  /** The last slot, -1 where the list is empty. */
  tail(list: number): number {
    const last = this.#previous[this.#numSlots + list] ?? 0;
    return last < this.#numSlots ? last : -1;
  }
}

/** Whether a slot may not be given away now. */
export class Pins {
  readonly #epochs: Int32Array;
  #epoch = 1;

  constructor(numSlots: number) {
    this.#epochs = new Int32Array(numSlots);
  }

  /** All pins are off. */
  next(): void {
    this.#epoch++;
    if (this.#epoch < 2 ** 31 - 1) return;
    this.#epochs.fill(0);
    this.#epoch = 1;
  }

  pin(slot: number): void {
    this.#epochs[slot] = this.#epoch;
  }

  has(slot: number): boolean {
    return this.#epochs[slot] === this.#epoch;
  }
}

/** The last slot of the list that is not pinned, out of the list; -1: none. Pinned ones are in use and go to the head. */
export function takeTail(lists: SlotLists, list: number, pins: Pins): number {
  for (let seen = lists.sizes[list] ?? 0; seen > 0; seen--) {
    const slot = lists.tail(list);
    if (!pins.has(slot)) {
      lists.remove(slot);
      return slot;
    }
    lists.moveToHead(list, slot);
  }
  return -1;
}
