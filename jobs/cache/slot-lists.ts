/** Doubly linked lists of slots, each slot in one of them at most: only arrays, nothing is allocated per block. */

export class SlotLists {
  /** Of slot s: the previous slot at 2 s, the next at 2 s + 1; after the slots a head per list, which is a ring. */
  readonly #links: Int32Array;
  readonly #list: Int8Array;
  readonly #numSlots: number;
  /** Slots in each list. */
  readonly sizes: Int32Array;

  constructor(numSlots: number, numLists: number) {
    this.#numSlots = numSlots;
    this.#links = new Int32Array(2 * (numSlots + numLists));
    this.#list = new Int8Array(numSlots).fill(-1);
    this.sizes = new Int32Array(numLists);
    for (let head = numSlots; head < numSlots + numLists; head++)
      this.#links.fill(head, 2 * head, 2 * head + 2);
  }

  pushHead(list: number, slot: number): void {
    this.#linkHead(list, slot);
    this.#list[slot] = list;
    this.sizes[list] = (this.sizes[list] ?? 0) + 1;
  }

  remove(slot: number): void {
    this.#unlink(slot);
    const list = this.#list[slot] ?? 0;
    this.sizes[list] = (this.sizes[list] ?? 0) - 1;
    this.#list[slot] = -1;
  }

  moveToHead(list: number, slot: number): void {
    if (this.#list[slot] === list) {
      this.#unlink(slot);
      this.#linkHead(list, slot);
    } else {
      this.remove(slot);
      this.pushHead(list, slot);
    }
  }

  /** The last slot, -1 where the list is empty. */
  tail(list: number): number {
    const last = this.#links[2 * (this.#numSlots + list)] ?? 0;
    return last < this.#numSlots ? last : -1;
  }

  #linkHead(list: number, slot: number): void {
    const links = this.#links;
    const head = this.#numSlots + list;
    const first = links[2 * head + 1] ?? 0;
    links[2 * head + 1] = slot;
    links[2 * slot] = head;
    links[2 * slot + 1] = first;
    links[2 * first] = slot;
  }

  #unlink(slot: number): void {
    const links = this.#links;
    const previous = links[2 * slot] ?? 0;
    const next = links[2 * slot + 1] ?? 0;
    links[2 * previous + 1] = next;
    links[2 * next] = previous;
  }
}

/** Whether a slot may not be given away now. */
export class Pins {
  /** Not of 32 bits: there is one for each request of a trace, however long. */
  readonly #epochs: Float64Array;
  #epoch = 1;

  constructor(numSlots: number) {
    this.#epochs = new Float64Array(numSlots);
  }

  /** All pins are off. */
  next(): void {
    this.#epoch++;
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
