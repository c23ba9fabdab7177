/** The combined tokens of this rank: bit for bit in the tree of the spec, and near the plain sum. */
import type { NativeMoeResults } from '../../../runner/native/types/index.js';
import { paddedHidden, seed32, usesDedup, type MoeSpec } from '../moe-spec.js';
import { POISON_BYTE, type Findings } from './findings.js';
import { BF16_VALUES, bf16Bits, CalcDiff, dequantize, expertFactor, quantize, tokenRow } from './numbers.js';
import type { Expectation } from './expectation.js';
import type { RankRouting } from '../routing/routing.js';
import { itemAt } from '../../../runner/values/items.js';

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

/** Sums of sums, in their order; a leaf is one expert's output. */
type Tree = readonly (Term | Tree)[];

const isTerm = (branch: Term | Tree): branch is Term => !Array.isArray(branch);

export function checkCombine(
  expectation: Expectation,
  results: NativeMoeResults,
  stride: number,
  findings: Findings,
): void {
  const { spec, routing, rank } = expectation;
  const own = itemAt(routing.ranks, rank);
  const padded = paddedHidden(spec);
  const diff = new CalcDiff();
  const condition = new Condition();
  const poison = new Uint8Array(padded * 2).fill(POISON_BYTE);
  for (let token = 0; token < spec.maxDispatchTokensPerRank; token++) {
    const row = results.combined.subarray(token * padded, (token + 1) * padded);
    if (token >= own.numTokens) {
      const where = (column: number): string => `row ${token} behind the last token, column ${column}`;
      findings.equalBytes(bytesOf(row), poison, 2, where);
      continue;
    }
    if (token % stride !== 0) continue;
    const sent = tokenRow({ seed: seed32(spec), salt: results.salt, rank, token }, spec.hidden, padded);
    const seen = spec.dispatchDtype === 'bf16' ? sent : dequantize(quantize(sent, spec.roundScale));
    const terms = termsOf(spec, own, token, routing.ranks.length);
    const weight = terms.reduce((sum, term) => sum + term.weight * term.factor, 0);
    const tree = treeOf(expectation, terms);
    condition.add(roundedWeights(tree), weight);
    const where = (column: number): string => `token ${token}, column ${column}: bf16 bits`;
    findings.equalBytes(bytesOf(row), bytesOf(combinedRow(tree, seen)), 2, where);
    diff.add(row, sent, weight);
  }
  // Partials that cancel keep their rounding errors while the sum shrinks: with one token that by itself can pass 1e-5.
  const limit = Math.max(DIFF_LIMIT[spec.dispatchDtype], ROUNDING_DIFF * (1 + condition.value()));
  findings.below(diff.value(), limit, () => `calc_diff of all combined tokens against the plain sum`);
}

/** What is rounded to bf16 along a token's path, as weights of its row: every sum that is sent. */
function roundedWeights(tree: Tree): number[] {
  const below = tree.filter((branch): branch is Tree => Array.isArray(branch));
  return below.flatMap((branch) => [totalWeight(branch), ...roundedWeights(branch)]);
}

const totalWeight = (tree: Tree): number =>
  tree.reduce(
    (sum, branch) => sum + (isTerm(branch) ? branch.weight * branch.factor : totalWeight(branch)),
    0,
  );

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
    // Not weighted: partial sums are plain.
    const weight = spec.weighted ? (own.topkWeights[token * spec.numTopk + k] ?? NaN) : 1;
    terms.push({ host: Math.floor(id / numLocal), weight, factor: expertFactor(id) });
  }
  return terms;
}

/**
 * Who sums what. Without dedup: all choices in the order of k. With it: the choices of each hosting rank in the order of
 * k; those in the order of ranks. With forwarding, the ranks of each other node are summed first, in their order, and
 * take the position of this rank's relay there.
 */
function treeOf({ spec, nodes, rank }: Expectation, terms: readonly Term[]): Tree {
  if (!usesDedup(spec)) return terms;
  const hosts = [...new Set(terms.map((term) => term.host))].toSorted((a, b) => a - b);
  const partial = (host: number): Tree => terms.filter((term) => term.host === host);
  if (nodes === null) return hosts.map(partial);
  const origins = [...new Set(hosts.map((host) => nodes.relayOf(rank, host)))].toSorted((a, b) => a - b);
  return origins.map((origin) => {
    if (nodes.isNear(origin, rank)) return partial(origin);
    const ofNode = hosts.filter((host) => nodes.isNear(host, origin));
    // A sum of one partial is that partial.
    return ofNode.length === 1 ? partial(ofNode[0] ?? -1) : ofNode.map(partial);
  });
}

/** bf16 bits of a token's sum, from those of the row that was sent. */
function combinedRow(tree: Tree, row: Uint16Array): Uint16Array {
  const values = new Float32Array(row.length);
  for (let column = 0; column < row.length; column++) values[column] = BF16_VALUES[row[column] ?? 0] ?? NaN;
  const sums = sumTree(tree, values);
  const combined = new Uint16Array(row.length);
  for (let column = 0; column < combined.length; column++) combined[column] = bf16Bits(sums[column] ?? NaN);
  return combined;
}

/** fp32 throughout, each product and sum rounded; every inner sum is rounded to bf16, for it travels. */
function sumTree(tree: Tree, values: Float32Array): Float32Array {
  const sums = new Float32Array(values.length);
  for (const branch of tree) {
    if (isTerm(branch)) {
      const { weight, factor } = branch;
      for (let column = 0; column < sums.length; column++)
        sums[column] = (sums[column] ?? NaN) + Math.fround(weight * (factor * (values[column] ?? NaN)));
    } else {
      const partial = sumTree(branch, values);
      for (let column = 0; column < sums.length; column++)
        sums[column] = (sums[column] ?? NaN) + (BF16_VALUES[bf16Bits(partial[column] ?? NaN)] ?? NaN);
    }
  }
  return sums;
}

const bytesOf = (row: Uint16Array): Uint8Array => new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
