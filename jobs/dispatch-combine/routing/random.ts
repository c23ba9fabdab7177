/** Numbers that depend only on the seed and the place, so ranks can compute each other's. */

/** Finalizer of MurmurHash3, 32 bits. */
export function mix32(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Uniform over (0, 1) for a uniform word. */
export function unitOf(word: number): number {
  return (word + 0.5) / 2 ** 32;
}

/** A sequence of its own for every list of keys. */
export class KeyedRandom {
  #counter: number;

  constructor(...keys: readonly number[]) {
    let state = 0x243f6a88;
    for (const key of keys) {
      state = mix32(state ^ mix32((key >>> 0) + 0x9e3779b9));
      state = mix32(state + Math.floor(key / 2 ** 32));
    }
    this.#counter = state;
  }

  word(): number {
    this.#counter = (this.#counter + 0x9e3779b9) | 0;
    return mix32(mix32(this.#counter) ^ 0x5bd1e995);
  }

  /** The next words, as many as there is room for. */
  draw(words: Uint32Array): void {
    let counter = this.#counter;
    for (let index = 0; index < words.length; index++) {
      counter = (counter + 0x9e3779b9) | 0;
      words[index] = mix32(mix32(counter) ^ 0x5bd1e995);
    }
    this.#counter = counter;
  }

  /** Uniform over (0, 1): never 0, so that its logarithm is finite. */
  unit(): number {
    return unitOf(this.word());
  }

  below(limit: number): number {
    return Math.floor(unitOf(this.word()) * limit);
  }

  /** Fisher-Yates, in place. */
  shuffle<T extends { length: number; [index: number]: number }>(values: T): T {
    for (let last = values.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const value = values[last] ?? 0;
      values[last] = values[other] ?? 0;
      values[other] = value;
    }
    return values;
  }
}
