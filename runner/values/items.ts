/** Items that are there by construction. Where one is not, the code is wrong, and says so at once instead of computing on. */

export function itemAt<T>(items: readonly T[], at: number): T {
  const item = items[at];
  if (item === undefined) throw new RangeError(`item ${at} of ${items.length} items`);
  return item;
}

export function firstOf<T>(items: readonly T[]): T {
  return itemAt(items, 0);
}

export function lastOf<T>(items: readonly T[]): T {
  return itemAt(items, items.length - 1);
}

/** Of a list of numbers or a typed array. */
export function numberAt(values: ArrayLike<number>, at: number): number {
  const value = values[at];
  if (value === undefined) throw new RangeError(`number ${at} of ${values.length} numbers`);
  return value;
}

export function valueOf<K, V>(map: ReadonlyMap<K, V>, key: K): V {
  const value = map.get(key);
  if (value === undefined) throw new RangeError(`no value of ${String(key)}`);
  return value;
}

/** `what`: for the message. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is missing`);
  return value;
}

/** A word that is known to be one of a closed list. */
export function oneOf<T extends string>(words: readonly T[], word: string): T {
  if (isOneOf(words, word)) return word;
  throw new RangeError(`${word} is not one of ${words.join(', ')}`);
}

/** Whether `word` is one of a closed list of words. */
export function isOneOf<T extends string>(words: readonly T[], word: unknown): word is T {
  return words.some((known) => known === word);
}
