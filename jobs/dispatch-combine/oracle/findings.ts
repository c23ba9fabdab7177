/** Counts what was compared and what differed, and keeps the first difference in words. */
import type { Verification } from '../../../runner/job/measurement.js';

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
