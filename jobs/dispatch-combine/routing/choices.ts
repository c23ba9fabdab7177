/**
 * Experts chosen at random, a function of only the seed, the rank and the token. Every expert draws a word for every
 * token, so that no choice depends on another: what costs is 30 million words for 120,000 tokens of 256 experts. The
 * loops do no more per word than they must; docs/moe.md says what is drawn.
 */
import type { MoeSpec } from '../moe-spec.js';
import { Nearest } from './nearest.js';
import { KeyedRandom, unitOf } from './random.js';

/** Ids of a rank's tokens, [numTokens, numTopk]. */
export type IdSource = (rank: number, numTokens: number) => Int32Array;

/** Far above the rounding of a product and of a logarithm, far below what two words differ by. */
const MARGIN = 1 - 1e-12;

/** numTopk experts without repetition, in proportion to their weights (exponential keys: smallest of -ln(u) / w). */
export function weighted(spec: MoeSpec, weights: Float64Array, stream: number): IdSource {
  const possible = Int32Array.from([...weights.keys()].filter((expert) => (weights[expert] ?? 0) > 0));
  const chances = Float64Array.from(possible, (expert) => weights[expert] ?? 0);
  const isEven = chances.every((chance) => chance === chances[0]);
  const guess = isEven ? evenGuess(spec.numTopk, possible.length) : weightedGuess(spec.numTopk, chances);
  return (rank, numTokens) => {
    const random = new KeyedRandom(spec.seed, stream, rank);
    const ids = new Int32Array(numTokens * spec.numTopk);
    const nearest = new Nearest(spec.numTopk, possible.length);
    const words = new Uint32Array(possible.length);
    for (let token = 0; token < numTokens; token++) {
      random.draw(words);
      for (const limit of [guess, Infinity]) {
        nearest.clear(limit);
        if (isEven) offerEven(nearest, possible, words, limit);
        else offerWeighted(nearest, { possible, chances }, words, limit);
        if (nearest.isFull) break;
      }
      nearest.copyTo(ids, token * spec.numTopk);
    }
    return ids;
  };
}

/** Where all weigh the same, -ln(u) / w falls as the word rises: neighbouring words differ by far more than rounding. */
function offerEven(nearest: Nearest, possible: Int32Array, words: Uint32Array, guess: number): void {
  let limit = guess;
  for (let index = 0; index < words.length; index++) {
    const key = -(words[index] ?? 0);
    if (key < limit) limit = nearest.offer(key, possible[index] ?? 0);
  }
}

/** -ln(u) >= 1 - u: most keys are known to be too large without their logarithm. */
function offerWeighted(
  nearest: Nearest,
  { possible, chances }: { readonly possible: Int32Array; readonly chances: Float64Array },
  words: Uint32Array,
  guess: number,
): void {
  let limit = guess;
  for (let index = 0; index < words.length; index++) {
    const unit = unitOf(words[index] ?? 0);
    const chance = chances[index] ?? 0;
    if ((1 - unit) * MARGIN >= limit * chance) continue;
    limit = nearest.offer(-Math.log(unit) / chance, possible[index] ?? 0);
  }
}

/**
 * A limit below which this many times as many keys lie on average as are wanted: with it a dozen keys are kept on their
 * way instead of three dozen. Where chance leaves too few below it, the token is done again without.
 */
const GENEROSITY = 2.5;

function evenGuess(numTopk: number, numPossible: number): number {
  const share = (GENEROSITY * numTopk) / numPossible;
  return share < 1 ? -(1 - share) * 2 ** 32 : Infinity;
}

/** Key x is below limit t with the chance 1 - exp(-t w): the t at which these sum to the number that is wanted. */
function weightedGuess(numTopk: number, chances: Float64Array): number {
  const wanted = GENEROSITY * numTopk;
  if (wanted >= chances.length) return Infinity;
  const below = (limit: number): number =>
    chances.reduce((sum, chance) => sum - Math.expm1(-limit * chance), 0);
  let limit = 1 / chances.reduce((a, b) => Math.max(a, b), 0);
  while (below(limit) < wanted) limit *= 2;
  return limit;
}

/** As DeepSeek-V3 routes: a group's score is the sum of its two best experts; the best groups' best experts. */
export function grouped(spec: MoeSpec, numGroups: number, topkGroups: number, stream: number): IdSource {
  const perGroup = spec.numExperts / numGroups;
  return (rank, numTokens) => {
    const random = new KeyedRandom(spec.seed, stream, rank);
    const ids = new Int32Array(numTokens * spec.numTopk);
    const words = new Uint32Array(spec.numExperts);
    const groups = new Nearest(topkGroups, numGroups);
    const chosen = new Int32Array(topkGroups);
    const experts = new Nearest(spec.numTopk, topkGroups * perGroup);
    for (let token = 0; token < numTokens; token++) {
      random.draw(words);
      groups.clear();
      for (let group = 0; group < numGroups; group++) {
        groups.offer(-bestTwo(words, group * perGroup, perGroup), group);
      }
      groups.copyTo(chosen, 0);
      experts.clear();
      let limit = Infinity;
      for (const group of chosen) {
        const end = (group + 1) * perGroup;
        for (let expert = group * perGroup; expert < end; expert++) {
          const key = -(words[expert] ?? 0);
          if (key < limit) limit = experts.offer(key, expert);
        }
      }
      experts.copyTo(ids, token * spec.numTopk);
    }
    return ids;
  };
}

/** Sum of the two largest of `count` words; the largest where there is no other. */
function bestTwo(words: Uint32Array, first: number, count: number): number {
  let best = 0;
  let next = 0;
  for (let index = first; index < first + count; index++) {
    const word = words[index] ?? 0;
    if (word > best) {
      next = best;
      best = word;
    } else if (word > next) next = word;
  }
  return best + next;
}

/** -1 in place of about that share of the choices. */
export function mask(ids: Int32Array, fraction: number, random: KeyedRandom): void {
  if (fraction === 0) return;
  for (let index = 0; index < ids.length; index++) if (random.unit() < fraction) ids[index] = -1;
}

/** Positive weights of each token, with the sum of about 1. */
export function tokenWeights(numTokens: number, numTopk: number, random: KeyedRandom): Float32Array {
  const weights = new Float32Array(numTokens * numTopk);
  const scores = new Float64Array(numTopk);
  for (let first = 0; first < weights.length; first += numTopk) {
    let sum = 0;
    for (let k = 0; k < numTopk; k++) sum += scores[k] = 0.1 + random.unit();
    for (let k = 0; k < numTopk; k++) weights[first + k] = (scores[k] ?? 0) / sum;
  }
  return weights;
}
