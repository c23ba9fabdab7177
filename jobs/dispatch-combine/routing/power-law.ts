/**
 * Expert loads that follow a bounded power law, and an assignment of tokens that has exactly those loads. The recipe
 * is the one by which aiconfigurator's collector makes skewed MoE loads (Apache-2.0), reimplemented: one weight an
 * expert by inverse CDF, scaled to the number of choices, clamped to one choice per token, the rest spread round-robin
 * over ranks, the most loaded rank made rank 0.
 */
import { KeyedRandom } from './random.js';

export interface PowerLawShape {
  readonly numExperts: number;
  readonly numTopk: number;
  readonly worldSize: number;
  readonly totalTokens: number;
  readonly alpha: number;
}

/** Choices of each expert; they sum to totalTokens * numTopk, and none is above totalTokens. */
export function powerLawLoads(shape: PowerLawShape, random: KeyedRandom): Int32Array {
  const { numExperts, totalTokens, alpha } = shape;
  const choices = totalTokens * shape.numTopk;
  const [low, high] = choices > numExperts ? [1, 0.8 * totalTokens] : [0.01, 2];
  const power = 1 - alpha;
  const quantile = (u: number): number => {
    if (Math.abs(power) < 1e-9) return low * (high / low) ** u;
    return ((high ** power - low ** power) * u + low ** power) ** (1 / power);
  };
  const weights = Float64Array.from({ length: numExperts }, () => quantile(random.unit()));
  const sum = weights.reduce((a, b) => a + b, 0);
  const loads = Int32Array.from(weights, (weight) =>
    Math.min(totalTokens, Math.round((weight / sum) * choices)),
  );
  spreadRest(loads, choices, shape);
  putLargestFirst(loads, shape.worldSize);
  return loads;
}

/** Rounding and clamping leave too many or too few choices: one by one over the ranks, expert by expert. */
function spreadRest(loads: Int32Array, choices: number, { worldSize, totalTokens }: PowerLawShape): void {
  let rest = choices - loads.reduce((a, b) => a + b, 0);
  const perRank = loads.length / worldSize;
  for (let turn = 0; rest !== 0; turn = (turn + 1) % loads.length) {
    const expert = (turn % worldSize) * perRank + Math.floor(turn / worldSize);
    const step = Math.sign(rest);
    const load = (loads[expert] ?? 0) + step;
    if (load < 0 || load > totalTokens) continue;
    loads[expert] = load;
    rest -= step;
  }
}

function putLargestFirst(loads: Int32Array, worldSize: number): void {
  const perRank = loads.length / worldSize;
  const ofRank = (rank: number): Int32Array => loads.slice(rank * perRank, (rank + 1) * perRank);
  const sums = Array.from({ length: worldSize }, (_, rank) => ofRank(rank).reduce((a, b) => a + b, 0));
  const largest = sums.indexOf(Math.max(...sums));
  const [first, other] = [ofRank(0), ofRank(largest)];
  loads.set(other, 0);
  loads.set(first, largest * perRank);
}

/** [totalTokens, numTopk] ids with those loads, no expert twice per token: expert after expert, token after token. */
export function assignLoads(loads: Int32Array, shape: PowerLawShape, random: KeyedRandom): Int32Array {
  const { totalTokens, numTopk } = shape;
  const order = random.shuffle(Int32Array.from({ length: loads.length }, (_, expert) => expert));
  const tokens = random.shuffle(Int32Array.from({ length: totalTokens }, (_, token) => token));
  const ids = new Int32Array(totalTokens * numTopk);
  let [place, choice] = [0, 0];
  for (const expert of order) {
    for (let i = loads[expert] ?? 0; i > 0; i--) {
      ids[(tokens[place] ?? 0) * numTopk + choice] = expert;
      place += 1;
      if (place < totalTokens) continue;
      place = 0;
      choice += 1;
    }
  }
  return ids;
}
