/** The combined tokens of this rank: bit for bit in the tree of the spec, and near the plain sum. */
import type { NativeMoeResults } from '../../runner/native/types.js';
import { paddedHidden, seed32, usesDedup, type MoeSpec } from './moe-spec.js';
import type { Findings } from './oracle-findings.js';
import {
  BF16_VALUES,
  bf16Bits,
  CalcDiff,
  dequantize,
  expertFactor,
  quantize,
  tokenRow,
} from './oracle-numbers.js';
import type { RankRouting, Routing } from './routing.js';

const POISON_BF16 = 0x7f7f;
/** Limits of calc_diff against the plain sum of what was sent (DeepEP's tests). */
const DIFF_LIMIT = { bf16: 1e-5, fp8_e4m3: 9e-4 } as const;
/**
 * calc_diff is half the square of a relative error. Rounding to bf16 (8 bits) errs by 2^-9 at the most, evenly spread:
 * its square is 2^-18 / 3 on average; this is half of that, and twice over for chance.
 */
const ROUNDING_DIFF = 2 ** -18 / 3;

interface Term {
  readonly host: number;
  readonly weight: number;
  readonly factor: number;
}

export function checkCombine(
  { spec, routing, rank }: { readonly spec: MoeSpec; readonly routing: Routing; readonly rank: number },
  results: NativeMoeResults,
  stride: number,
  findings: Findings,
): void {
  const own = routing.ranks[rank] as RankRouting;
  const padded = paddedHidden(spec);
  const diff = new CalcDiff();
  const condition = new Condition();
  for (let token = 0; token < spec.maxDispatchTokensPerRank; token++) {
    const row = results.combined.subarray(token * padded, (token + 1) * padded);
    if (token >= own.numTokens) {
      row.forEach((bits, column) => {
        findings.equal(bits, POISON_BF16, () => `row ${token} behind the last token, column ${column}`);
      });
      continue;
    }
    if (token % stride !== 0) continue;
    const sent = tokenRow({ seed: seed32(spec), salt: results.salt, rank, token }, spec.hidden, padded);
    const seen = spec.dispatchDtype === 'bf16' ? sent : dequantize(quantize(sent, spec.roundScale));
    const terms = termsOf(spec, own, token, routing.ranks.length);
    const weight = terms.reduce((sum, term) => sum + term.weight * term.factor, 0);
    condition.add(partialWeights(spec, terms), weight);
    const combined = combineTree(spec, terms, seen);
    row.forEach((bits, column) => {
      findings.equal(bits, combined[column] ?? -1, () => `token ${token}, column ${column}: bf16 bits`);
      diff.add(BF16_VALUES[bits] ?? NaN, (BF16_VALUES[sent[column] ?? 0] ?? NaN) * weight);
    });
  }
  // Partials that cancel keep their rounding errors while the sum shrinks: with one token that alone can pass 1e-5.
  const limit = Math.max(DIFF_LIMIT[spec.dispatchDtype], ROUNDING_DIFF * (1 + condition.value()));
  findings.below(diff.value(), limit, () => `calc_diff of all combined tokens against the plain sum`);
}

/** What is rounded to bf16 on the way of a token, as weights of its row: the partial of each hosting rank, or nothing. */
function partialWeights(spec: MoeSpec, terms: readonly Term[]): number[] {
  if (!usesDedup(spec)) return [];
  const partials = new Map<number, number>();
  for (const { host, weight, factor } of terms)
    partials.set(host, (partials.get(host) ?? 0) + weight * factor);
  return [...partials.values()];
}

/** Sum of squares of what was rounded over the square of what came out, over all tokens. */
class Condition {
  #rounded = 0;
  #summed = 0;

  add(partials: readonly number[], sum: number): void {
    for (const partial of partials) this.#rounded += partial * partial;
    this.#summed += sum * sum;
  }

  value(): number {
    return this.#summed > 0 ? this.#rounded / this.#summed : 0;
  }
}

function termsOf(spec: MoeSpec, own: RankRouting, token: number, worldSize: number): Term[] {
  const numLocal = spec.numExperts / worldSize;
  const terms: Term[] = [];
  for (let k = 0; k < spec.numTopk; k++) {
    const id = own.topkIdx[token * spec.numTopk + k] ?? -1;
    if (id < 0) continue;
    const weight = own.topkWeights[token * spec.numTopk + k] ?? NaN;
    terms.push({ host: Math.floor(id / numLocal), weight, factor: expertFactor(id) });
  }
  return terms;
}

/**
 * fp32 throughout, each product and sum rounded. Without dedup: all choices in the order of k, then bf16. With it: the
 * choices of each hosting rank in the order of k, rounded to bf16; those in the order of ranks, rounded to bf16.
 */
function combineTree(spec: MoeSpec, terms: readonly Term[], row: Uint16Array): Uint16Array {
  const groups = usesDedup(spec)
    ? [...new Set(terms.map((term) => term.host))]
        .toSorted((a, b) => a - b)
        .map((host) => terms.filter((term) => term.host === host))
    : [terms];
  return row.map((bits) => {
    const x = BF16_VALUES[bits] ?? NaN;
    let sum = 0;
    for (const group of groups) {
      let partial = 0;
      for (const { weight, factor } of group) {
        partial = Math.fround(partial + Math.fround(weight * (factor * x)));
      }
      sum = usesDedup(spec) ? Math.fround(sum + (BF16_VALUES[bf16Bits(partial)] ?? NaN)) : partial;
    }
    return bf16Bits(sum);
  });
}
