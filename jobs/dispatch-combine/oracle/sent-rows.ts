/** Rows as their sources send them, each computed once. */
import { paddedHidden, seed32, type MoeSpec } from '../moe-spec.js';
import { quantize, tokenRow } from './numbers.js';

export interface SentRow {
  /** bf16 (little-endian) or e4m3 elements. */
  readonly bytes: Uint8Array;
  /** With fp8. */
  readonly scales: Float32Array;
}

export class SentRows {
  readonly #spec: MoeSpec;
  readonly #salt: number;
  readonly #rows = new Map<string, SentRow>();

  constructor(spec: MoeSpec, salt: number) {
    this.#spec = spec;
    this.#salt = salt;
  }

  row(source: number, token: number): SentRow {
    const key = `${source} ${token}`;
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = this.#compute(source, token);
    this.#rows.set(key, row);
    return row;
  }

  #compute(source: number, token: number): SentRow {
    const spec = this.#spec;
    const place = { seed: seed32(spec), salt: this.#salt, rank: source, token };
    const row = tokenRow(place, spec.hidden, paddedHidden(spec));
    if (spec.dispatchDtype === 'bf16') {
      return { bytes: new Uint8Array(row.buffer), scales: new Float32Array(0) };
    }
    const { codes, scales } = quantize(row, spec.roundScale);
    return { bytes: codes, scales };
  }
}
