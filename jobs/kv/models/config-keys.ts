/** Reads keys of one configuration object, and remembers which were looked at and which decided. */
import { isObject } from '../../../runner/job-spec/pointer.js';
import { firstOf } from '../../../runner/values/items.js';
import { ConfigRefusal, show } from './refusal.js';

export type ConfigObject = Readonly<Record<string, unknown>>;

/** No head, vector or window of a real model comes near. */
const LARGEST_COUNT = 2 ** 31 - 1;

/** null, false, 0, empty: a key that turns its feature off. */
export function isOff(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

export class ConfigKeys {
  readonly config: ConfigObject;
  readonly #defaults: ConfigObject;
  readonly #path: string;
  readonly seen: Set<string>;
  readonly decided: Set<string>;
  readonly notes: string[];

  /** `defaults`: what the model's configuration class has where the file says nothing. */
  constructor(config: ConfigObject, defaults: ConfigObject = {}, parent?: ConfigKeys, path = '') {
    this.config = config;
    this.#defaults = defaults;
    this.#path = path;
    this.seen = parent?.seen ?? new Set();
    this.decided = parent?.decided ?? new Set();
    this.notes = parent?.notes ?? [];
  }

  /** Whether the file itself says it, and does not turn it off. */
  has(key: string): boolean {
    return Object.hasOwn(this.config, key) && !isOff(this.config[key]);
  }

  /** The first key of the list that the file has on. */
  first(keys: readonly string[]): string | undefined {
    return keys.find((key) => this.has(key));
  }

  /** The value without judging it: marks the key as looked at. */
  peek(key: string): unknown {
    this.seen.add(this.#path + key);
    return Object.hasOwn(this.config, key) ? this.config[key] : undefined;
  }

  /** The value, which decides. An absent key takes its class default, with a note. */
  take(key: string): unknown {
    const value = this.peek(key);
    this.decided.add(this.#path + key);
    if (value !== undefined || !Object.hasOwn(this.#defaults, key)) return value;
    const fallback = this.#defaults[key];
    this.note(`${this.#path}${key} is absent: ${show(fallback)}, the default of the model's class`);
    return fallback;
  }

  /** An absent key of the class, which may be off. */
  hasDefault(key: string): boolean {
    return !Object.hasOwn(this.config, key) && !isOff(this.#defaults[key]);
  }

  /** What the file says, else the class: without a mark and without a note. */
  either(key: string): unknown {
    return Object.hasOwn(this.config, key) ? this.config[key] : this.#defaults[key];
  }

  /** A count from 1 of the first key that says one; 0 and null are absent. undefined: none does. */
  count(keys: readonly string[], largest = LARGEST_COUNT): number | undefined {
    const key = this.first(keys) ?? keys.find((candidate) => this.hasDefault(candidate));
    if (key === undefined) return undefined;
    return this.check(key, this.take(key), largest);
  }

  /** As `count`, and refused where no key says it. */
  need(keys: readonly string[], largest = LARGEST_COUNT): number {
    const value = this.count(keys, largest);
    if (value !== undefined) return value;
    const key = firstOf(keys);
    throw new ConfigRefusal(
      `a whole number from 1 under ${keys.map((name) => this.#path + name).join(' or ')}`,
      `${this.#path}${key} = ${show(this.config[key])}`,
    );
  }

  check(key: string, value: unknown, largest = LARGEST_COUNT): number {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= largest)
      return value;
    throw new ConfigRefusal(`a whole number from 1 to ${largest}`, `${this.#path}${key} = ${show(value)}`);
  }

  /** A size that may be 0, as the rope part of a latent. */
  size(key: string): number {
    const value = this.take(key);
    if (value === 0) return 0;
    return this.check(key, value);
  }

  /** Keys of an object inside this one, named by their path. An object that is not there has none. */
  inside(key: string): ConfigKeys {
    const value = this.peek(key);
    return new ConfigKeys(isObject(value) ? value : {}, {}, this, `${this.#path}${key}.`);
  }

  /** A list with one entry per layer; `extra` more are those of the MTP layers behind them. */
  perLayer(key: string, numLayers: number, extra = 0): readonly unknown[] {
    const value = this.take(key);
    if (Array.isArray(value) && (value.length === numLayers || value.length === numLayers + extra))
      return value;
    const received = Array.isArray(value) ? `${value.length} entries` : show(value);
    const behind = extra > 0 ? `, or ${numLayers + extra} with the MTP layers` : '';
    throw new ConfigRefusal(
      `a list of ${numLayers} entries, one per layer${behind}, under ${this.#path}${key}`,
      received,
    );
  }

  /** A list of layer indices that counts from `base`. */
  layerSet(key: string, numLayers: number, base = 0): Set<number> {
    const value = this.take(key);
    const expected = `a list of different layers, ${base} to ${numLayers - 1 + base}, under ${this.#path}${key}`;
    if (!Array.isArray(value)) throw new ConfigRefusal(expected, show(value));
    const layers = new Set<number>();
    for (const entry of value as unknown[]) {
      const layer = typeof entry === 'number' ? entry - base : -1;
      if (!Number.isSafeInteger(layer) || layer < 0 || layer >= numLayers || layers.has(layer)) {
        throw new ConfigRefusal(expected, `${show(entry)} in ${show(value)}`);
      }
      layers.add(layer);
    }
    return layers;
  }

  note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }
}
