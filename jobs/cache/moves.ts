/**
 * What a request's decisions are, to be done in this order: host to disk, device to a tier below, a tier below to the
 * device, fills. A slot's bytes leave before others enter it: what is displaced in this request was not put there by it.
 */
import { itemAt } from '../../runner/values/items.js';

/** Slots by number, in the order in which the decisions fell. */
export interface CopyList {
  readonly source: number[];
  readonly target: number[];
  readonly blocks: number[];
  /** Of the block in the request, from its head; -1: of one that leaves for another's sake. */
  readonly places: number[];
}

/** Device hits, or fills. */
export interface SlotList {
  readonly slots: number[];
  readonly blocks: number[];
  readonly places: number[];
}

const noSlots = (): SlotList => ({ slots: [], blocks: [], places: [] });

const NUM_TIERS = 3;

export class Moves {
  readonly hits: SlotList = noSlots();
  readonly fills: SlotList = noSlots();
  readonly #copies: readonly CopyList[] = Array.from({ length: NUM_TIERS * NUM_TIERS }, () => ({
    source: [],
    target: [],
    blocks: [],
    places: [],
  }));

  copies(from: number, to: number): CopyList {
    return itemAt(this.#copies, from * NUM_TIERS + to);
  }

  clear(): void {
    for (const list of [this.hits, this.fills]) {
      list.slots.length = list.blocks.length = list.places.length = 0;
    }
    for (const list of this.#copies) {
      list.source.length = list.target.length = list.blocks.length = list.places.length = 0;
    }
  }

  hit(slot: number, block: number, place: number): void {
    this.hits.slots.push(slot);
    this.hits.blocks.push(block);
    this.hits.places.push(place);
  }

  fill(slot: number, block: number, place: number): void {
    this.fills.slots.push(slot);
    this.fills.blocks.push(block);
    this.fills.places.push(place);
  }

  /** By tier, from and to; slots by number. */
  copy(
    [from, to]: readonly [number, number],
    [source, target]: readonly [number, number],
    block: number,
    place = -1,
  ): void {
    const list = this.copies(from, to);
    list.source.push(source);
    list.target.push(target);
    list.blocks.push(block);
    list.places.push(place);
  }
}
