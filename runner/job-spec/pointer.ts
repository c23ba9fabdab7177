/** JSON Pointers (RFC 6901) and the dotted key paths that `sweep` and `--set` use. */

export function pointerOf(keys: readonly (string | number)[]): string {
  return keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

export function keysOf(pointer: string): string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

type Writable = Record<string, unknown>;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at `keys`, or undefined where the path ends early. */
export function valueAt(root: unknown, keys: readonly string[]): unknown {
  let value: unknown = root;
  for (const key of keys) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, key)?.value;
  }
  return value;
}

/** Writes `value` at `keys`, making objects along the path. False if something along the path is not an object. */
export function writeAt(root: Writable, keys: readonly string[], value: unknown): boolean {
  let place: Writable = root;
  for (const key of keys.slice(0, -1)) {
    if (!Object.hasOwn(place, key)) place[key] = {};
    const next = place[key];
    if (!isObject(next)) return false;
    place = next;
  }
  const last = keys.at(-1);
  if (last === undefined) return false;
  place[last] = value;
  return true;
}
