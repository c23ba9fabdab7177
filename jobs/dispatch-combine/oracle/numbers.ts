/**
 * The oracle's own arithmetic: what tokens hold, what experts do, bf16 and e4m3, from docs/moe.md and the formats'
 * definitions. Nothing here is shared with the native module.
 */
import { mix32 } from '../routing/random.js';

/** One fp32 value and its bits: the oracle passes every element through it. */
const scratchValue = new Float32Array(1);
const scratchBits = new Uint32Array(scratchValue.buffer);

/** The value of bf16 bits. */
function bf16Value(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratchValue[0] ?? NaN;
}

/** The bits of a value as fp32. */
function fp32Bits(value: number): number {
  scratchValue[0] = value;
  return scratchBits[0] ?? 0;
}

/** Nearest bf16 of an fp32 value, ties to even. The value is finite. */
export function bf16Bits(value: number): number {
  const bits = fp32Bits(value);
  const rest = bits & 0xffff;
  const high = bits >>> 16;
  const up = rest > 0x8000 || (rest === 0x8000 && (high & 1) === 1);
  return (up ? high + 1 : high) & 0xffff;
}

/** bf16 value by its bits; a table, because every element of every row goes through it. */
export const BF16_VALUES: Float32Array = Float32Array.from({ length: 65_536 }, (_, bits) => bf16Value(bits));

/** Columns 0..hidden-1 of a token as bf16 bits, then zeros up to `padded`. */
export function tokenRow(
  place: { readonly seed: number; readonly salt: number; readonly rank: number; readonly token: number },
  hidden: number,
  padded: number,
): Uint16Array {
  const salted = mix32((place.seed ^ mix32((place.salt + 0x9e3779b9) >>> 0)) >>> 0);
  const base = mix32(mix32((salted + place.rank) >>> 0) + place.token);
  const row = new Uint16Array(padded);
  for (let column = 0; column < hidden; column += 2) {
    const word = mix32((base + Math.imul(column >>> 1, 0x9e3779b9)) | 0);
    row[column] = tokenElement(word & 0xffff);
    if (column + 1 < hidden) row[column + 1] = tokenElement(word >>> 16);
  }
  return row;
}

/** Sign and mantissa as they fall; exponents 122..129, magnitudes from 2^-5 to just below 2^3. */
function tokenElement(half: number): number {
  return (half & 0x8000) | ((122 + ((half >>> 7) & 7)) << 7) | (half & 0x7f);
}

/** Expert e's output is its input times this. */
export function expertFactor(expert: number): number {
  const word = mix32(expert + 1);
  return ((word & 4) !== 0 ? -1 : 1) * 2 ** ((word & 3) - 1);
}

/** Every finite e4m3 magnitude by its code: 3 mantissa bits, bias 7, subnormals below 2^-6. */
export const E4M3_VALUES: readonly number[] = Array.from({ length: 127 }, (_, code) => {
  const exponent = code >> 3;
  const mantissa = code & 7;
  return exponent === 0 ? mantissa * 2 ** -9 : (1 + mantissa / 8) * 2 ** (exponent - 7);
});

/** Of all 256 codes; NaN where a code has none. */
const SIGNED_E4M3_VALUES = Float32Array.from({ length: 256 }, (_, code) => {
  const magnitude = E4M3_VALUES[code & 0x7f] ?? NaN;
  return code & 0x80 ? -magnitude : magnitude;
});

/** Codes to a unit in each binade from 2^-6 to 2^8: eight to a power of two. */
const STEPS_PER_UNIT = Float64Array.from({ length: 15 }, (_, binade) => 2 ** (9 - binade));

/** The nearest e4m3 code, ties to the even code, saturating at 448. */
export function e4m3Code(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x80 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 448) return sign | 126;
  // Subnormals have the steps of the smallest power of two.
  const binade = Math.max(0, (fp32Bits(magnitude) >>> 23) - 121);
  const steps = magnitude * (STEPS_PER_UNIT[binade] ?? NaN);
  const below = Math.floor(steps);
  const isUp = steps - below > 0.5 || (steps - below === 0.5 && below % 2 === 1);
  return sign | (binade * 8 + (isUp ? below + 1 : below));
}

export interface QuantizedRow {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
}

/** Per 128 channels: amax = max(|x|, 1e-4), q = e4m3(x * (448 / amax)), scale = amax / 448, each step in fp32. */
export function quantize(row: Uint16Array, roundScale: boolean): QuantizedRow {
  const codes = new Uint8Array(row.length);
  const scales = new Float32Array(row.length / 128);
  for (let block = 0; block < scales.length; block++) {
    const first = block * 128;
    let amax = Math.fround(1e-4);
    for (let column = first; column < first + 128; column++)
      amax = Math.max(amax, Math.abs(BF16_VALUES[row[column] ?? 0] ?? 0));
    let scale = Math.fround(amax / 448);
    let multiplier = Math.fround(448 / amax);
    if (roundScale) {
      scale = 2 ** Math.ceil(Math.log2(scale));
      multiplier = 1 / scale;
    }
    scales[block] = scale;
    for (let column = first; column < first + 128; column++)
      codes[column] = e4m3Code(Math.fround((BF16_VALUES[row[column] ?? 0] ?? 0) * multiplier));
  }
  return { codes, scales };
}

/** bf16 bits of code * scale. */
export function dequantize({ codes, scales }: QuantizedRow): Uint16Array {
  const row = new Uint16Array(codes.length);
  for (let column = 0; column < row.length; column++) {
    const value = SIGNED_E4M3_VALUES[codes[column] ?? 0] ?? NaN;
    row[column] = bf16Bits(Math.fround(value * (scales[column >> 7] ?? NaN)));
  }
  return row;
}

/** DeepEP's distance of two vectors, in double after adding 1: 1 - 2 sum(xy) / sum(x^2 + y^2). */
export class CalcDiff {
  #product = 0;
  #squares = 0;

  /** bf16 bits of both; those of `sent` times `weight`. */
  add(found: Uint16Array, sent: Uint16Array, weight: number): void {
    let product = 0;
    let squares = 0;
    for (let column = 0; column < found.length; column++) {
      const x = (BF16_VALUES[found[column] ?? 0] ?? NaN) + 1;
      const y = (BF16_VALUES[sent[column] ?? 0] ?? NaN) * weight + 1;
      product += x * y;
      squares += x * x + y * y;
    }
    this.#product += product;
    this.#squares += squares;
  }

  value(): number {
    return this.#squares === 0 ? 0 : 1 - (2 * this.#product) / this.#squares;
  }
}
