/**
 * The oracle's own arithmetic: what tokens hold, what experts do, bf16 and e4m3, from docs/moe.md and the formats'
 * definitions. Nothing here is shared with the native module.
 */
import { mix32 } from '../routing/random.js';

const scratch = new DataView(new ArrayBuffer(4));

/** The value of bf16 bits. */
function bf16Value(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** Nearest bf16 of an fp32 value, ties to even. The value is finite. */
export function bf16Bits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
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
  for (let column = 0; column < hidden; column++) {
    const word = mix32((base + Math.imul(column >>> 1, 0x9e3779b9)) | 0);
    const half = column % 2 === 0 ? word & 0xffff : word >>> 16;
    // Sign and mantissa as they fall; exponents 122..129, magnitudes from 2^-5 to just below 2^3.
    row[column] = (half & 0x8000) | ((122 + ((half >>> 7) & 7)) << 7) | (half & 0x7f);
  }
  return row;
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

/** The nearest e4m3 code, ties to the even code, saturating at 448. */
export function e4m3Code(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x80 : 0;
  const magnitude = Math.abs(value);
  let [low, high] = [0, 126];
  if (magnitude >= 448) return sign | 126;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((E4M3_VALUES[middle] ?? 0) <= magnitude) low = middle;
    else high = middle;
  }
  const below = magnitude - (E4M3_VALUES[low] ?? 0);
  const above = (E4M3_VALUES[high] ?? 0) - magnitude;
  const isUp = above < below || (above === below && low % 2 === 1);
  return sign | (isUp ? high : low);
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
    const values = Array.from(row.subarray(block * 128, (block + 1) * 128), (bits) => BF16_VALUES[bits] ?? 0);
    const amax = Math.max(Math.fround(1e-4), ...values.map(Math.abs));
    let scale = Math.fround(amax / 448);
    let multiplier = Math.fround(448 / amax);
    if (roundScale) {
      scale = 2 ** Math.ceil(Math.log2(scale));
      multiplier = 1 / scale;
    }
    scales[block] = scale;
    values.forEach((value, index) => {
      codes[block * 128 + index] = e4m3Code(Math.fround(value * multiplier));
    });
  }
  return { codes, scales };
}

/** bf16 bits of code * scale. */
export function dequantize({ codes, scales }: QuantizedRow): Uint16Array {
  return Uint16Array.from(codes, (code, index) => {
    const magnitude = E4M3_VALUES[code & 0x7f] ?? NaN;
    const value = code & 0x80 ? -magnitude : magnitude;
    return bf16Bits(Math.fround(value * (scales[index >> 7] ?? NaN)));
  });
}

/** DeepEP's distance of two vectors, in double after adding 1: 1 - 2 sum(xy) / sum(x^2 + y^2). */
export class CalcDiff {
  #product = 0;
  #squares = 0;

  add(x: number, y: number): void {
    this.#product += (x + 1) * (y + 1);
    this.#squares += (x + 1) ** 2 + (y + 1) ** 2;
  }

  value(): number {
    return this.#squares === 0 ? 0 : 1 - (2 * this.#product) / this.#squares;
  }
}
