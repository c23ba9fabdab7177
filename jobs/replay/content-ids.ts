/**
 * What names a block's content: 64 bits of its id and of all ids before it, so that a block of another request or place
 * never looks like it. The same in every run and on every rank.
 */
import { grown } from '../traces/prefix-tree.js';
import type { HashId } from '../traces/request.js';

/** Finalizer of MurmurHash3 (Appleby): a bijection of 32 bits. */
function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** The two halves of an id. */
function words(id: HashId): readonly [number, number] {
  if (typeof id === 'number') return [id | 0, (id / 4294967296) | 0];
  if (typeof id === 'bigint') return [Number(id & 0xffffffffn) | 0, Number((id >> 32n) & 0xffffffffn) | 0];
  let [low, high] = [id.length, 0x9e3779b9 | 0];
  for (let at = 0; at < id.length; at++) {
    low = mix(low ^ id.charCodeAt(at));
    high = mix(Math.imul(high, 31) ^ id.charCodeAt(at));
  }
  return [low, high];
}

export class ContentIds {
  #low = new Int32Array(1024);
  #high = new Int32Array(1024);
  #known = 0;

  /** Blocks of a request by number, from its head, and their ids; those that are new are numbered from `known` on. */
  add(path: Int32Array, ids: readonly HashId[]): void {
    let known = this.#known;
    for (let place = 0; place < ids.length; place++) {
      const block = path[place] ?? 0;
      if (block < known) continue;
      known = block + 1;
      const parent = place === 0 ? -1 : (path[place - 1] ?? 0);
      this.#append(block, parent, words(ids[place] ?? 0));
    }
    this.#known = known;
  }

  low(block: number): number {
    return this.#low[block] ?? 0;
  }

  high(block: number): number {
    return this.#high[block] ?? 0;
  }

  #append(block: number, parent: number, [low, high]: readonly [number, number]): void {
    this.#low = grown(this.#low, block + 1);
    this.#high = grown(this.#high, block + 1);
    const [before, above] = parent < 0 ? [0x243f6a88, 0xb7e15162 | 0] : [this.low(parent), this.high(parent)];
    this.#low[block] = mix(mix(before ^ mix(low + 0x9e3779b9)) ^ high);
    this.#high[block] = mix(mix(Math.imul(above, 31) ^ mix(high ^ 0x51ed270b)) ^ Math.imul(low, 0x2c1b3c6d));
  }
}
