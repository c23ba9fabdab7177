/**
 * Keys and values of objects that the code itself builds, with their types. The compiler types keys as `string`, because a
 * value may have more keys than its type names: only for object literals and records that were made from a list of names.
 */

export function namesOf<K extends string>(record: Readonly<Partial<Record<K, unknown>>>): K[] {
  // A literal has the keys of its type.
  return Object.keys(record) as K[];
}

export function entriesOf<K extends string, V>(record: Readonly<Partial<Record<K, V>>>): [K, V][] {
  return namesOf(record).flatMap((name): [K, V][] => {
    const value = record[name];
    return value === undefined ? [] : [[name, value]];
  });
}

export function recordOf<K extends string, V>(names: readonly K[], valueFor: (name: K) => V): Record<K, V> {
  // Every name gets a value.
  return Object.fromEntries(names.map((name) => [name, valueFor(name)])) as Record<K, V>;
}
