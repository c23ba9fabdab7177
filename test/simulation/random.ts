/** Draws of a seed: SplitMix64 cut to 53 bits, so that every draw is a double. */
import { itemAt } from '../../runner/values/items.js';

const MASK = (1n << 64n) - 1n;

function mix(value: bigint): bigint {
  let z = value & MASK;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return z ^ (z >> 31n);
}

export class Random {
  #a: number;
  #b: number;

  /** `purpose`: draws of one purpose do not move when another makes more of them. */
  constructor(seed: number, purpose: string) {
    let state = BigInt(seed);
    for (const letter of purpose) state = mix(state * 31n + BigInt(letter.codePointAt(0) ?? 0));
    const mixed = mix(state + 0x9e3779b97f4a7c15n);
    this.#a = Number(mixed & 0xffffffffn) | 0;
    this.#b = Number(mixed >> 32n) | 0;
  }

  /** From 0 to below 1: two rounds of a 64-bit xorshift in 32-bit halves, which is what JavaScript computes quickly. */
  next(): number {
    this.#a = (this.#a + 0x9e3779b9) | 0;
    let t = this.#a ^ this.#b;
    t = Math.imul(t ^ (t >>> 16), 0x21f0aaad);
    t = Math.imul(t ^ (t >>> 15), 0x735a2d97);
    t ^= t >>> 15;
    this.#b = (this.#b + Math.imul(t, 0x85ebca6b) + 1) | 0;
    return (t >>> 0) / 2 ** 32;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** Both ends included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** Not rounded. */
  time(fromMs: number, toMs: number): number {
    return fromMs + this.next() * (toMs - fromMs);
  }

  chance(percent: number): boolean {
    return this.next() * 100 < percent;
  }

  pick<T>(items: readonly T[]): T {
    return itemAt(items, this.below(items.length));
  }
}
