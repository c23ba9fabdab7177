/**
 * A small seeded generator, the same on every machine: which blocks move must not depend on the engine's Math.random.
 * Routings have another (dispatch-combine/routing/random.ts): each of their places can be computed by itself.
 */

export interface Random {
  /** Uniform over 0..limit-1; limit from 1 to 2^32. */
  below(limit: number): number;
  /** Uniform over [0, 1). */
  unit(): number;
}

/** sfc32 (Chris Doty-Humphrey's small fast counting generator), seeded by any whole numbers. */
export function seededRandom(...seeds: readonly number[]): Random {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (const seed of seeds) {
    a ^= seed | 0;
    b ^= Math.floor(seed / 2 ** 32) | 0;
    for (let round = 0; round < 15; round++) next();
  }
  return {
    below: (limit) => {
      // Values of the incomplete last span would make small numbers likelier: drawn again.
      const span = 2 ** 32 - (2 ** 32 % limit);
      let value = next();
      while (value >= span) value = next();
      return value % limit;
    },
    unit: () => next() / 2 ** 32,
  };
}

/** The first `count` of 0..capacity-1 in seeded order, each once (Fisher-Yates, stopped early). */
export function shuffledIds(capacity: number, count: number, random: Random): Int32Array {
  const ids = Int32Array.from({ length: capacity }, (_, id) => id);
  for (let place = 0; place < count; place++) {
    const other = place + random.below(capacity - place);
    const id = ids[other] ?? 0;
    ids[other] = ids[place] ?? 0;
    ids[place] = id;
  }
  return ids.slice(0, count);
}
