/** Counts what was compared and what differed, and keeps the first difference in words. */
import type { Verification } from '../../../runner/job/measurement.js';

/** What native code fills results with before a call (kPoisonByte). */
export const POISON_BYTE = 0x7f;

export class Findings {
  #checked = 0;
  #wrong = 0;
  #firstBad = '';

  /** NaN equals nothing. */
  equal(found: number, expected: number, where: () => string): boolean {
    this.#checked += 1;
    if (found === expected) return true;
    this.give(`${where()}: expected ${expected}, found ${found}`);
    return false;
  }

  /** Elements of `width` bytes, compared at once; where they differ, one by one. */
  equalBytes(
    found: Uint8Array,
    expected: Uint8Array,
    width: 1 | 2,
    where: (element: number) => string,
  ): void {
    if (found.length === expected.length && Buffer.compare(found, expected) === 0) {
      this.#checked += expected.length / width;
      return;
    }
    const at = (bytes: Uint8Array, index: number): number =>
      width === 2 ? (bytes[index] ?? NaN) | ((bytes[index + 1] ?? 0) << 8) : (bytes[index] ?? NaN);
    for (let index = 0; index < expected.length; index += width) {
      const element = index / width;
      this.equal(index < found.length ? at(found, index) : NaN, at(expected, index), () => where(element));
    }
  }

  /** True where `value` is below `limit`; NaN is not. */
  below(value: number, limit: number, where: () => string): boolean {
    this.#checked += 1;
    if (value < limit) return true;
    this.give(`${where()}: expected below ${limit}, found ${value}`);
    return false;
  }

  /** One difference. */
  give(sentence: string): void {
    this.#wrong += 1;
    if (this.#firstBad === '') this.#firstBad = sentence;
  }

  as(phase: string): Verification {
    return { phase, checked: this.#checked, wrong: this.#wrong, firstBad: this.#firstBad };
  }
}
