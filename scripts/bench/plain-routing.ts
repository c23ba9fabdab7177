/**
 * The routing of every rank with objects, closures and a sort per token, as it reads most plainly: baseline of
 * `npm run bench -- --only routing`, and what tests compare the fast one with, bit for bit.
 */
import { createHash } from 'node:crypto';
import { RunnerError } from '../../runner/errors.js';
import { rereadFile, type FilePlaces } from '../../runner/job-spec/files.js';
import { tokensOfRank, type MoeSpec } from '../../jobs/dispatch-combine/moe-spec.js';
import { assignLoads, powerLawLoads } from '../../jobs/dispatch-combine/routing/power-law.js';
import { KeyedRandom } from '../../jobs/dispatch-combine/routing/random.js';
import type { RankRouting, Routing } from '../../jobs/dispatch-combine/routing/routing.js';
import { parseRoutingFile, ROUTING_FILE_LIMIT_BYTES } from '../../jobs/dispatch-combine/routing/file.js';

/** Independent sequences of one seed. */
const STREAM = { ids: 1, weights: 2, mask: 3, experts: 4 } as const;

export function makePlainRouting(spec: MoeSpec, worldSize: number, files: FilePlaces = {}): Routing {
  const ranks: RankRouting[] = [];
  const idsOf = idSource(spec, worldSize, files);
  for (let rank = 0; rank < worldSize; rank++) {
    const numTokens = tokensOfRank(spec, rank);
    const topkIdx = idsOf(rank, numTokens);
    mask(topkIdx, spec, rank);
    ranks.push({ numTokens, topkIdx, topkWeights: makeWeights(spec, rank, numTokens) });
  }
  const hash = createHash('sha256');
  for (const { numTokens, topkIdx, topkWeights } of ranks) {
    hash.update(`${numTokens};`);
    for (const array of [topkIdx, topkWeights])
      hash.update(Buffer.from(array.buffer, array.byteOffset, array.byteLength));
  }
  return { ranks, digest: hash.digest('hex') };
}

type IdSource = (rank: number, numTokens: number) => Int32Array;

function idSource(spec: MoeSpec, worldSize: number, files: FilePlaces): IdSource {
  const { routing } = spec;
  if (routing.kind === 'powerLaw') return sliceOf(powerLawIds(spec, worldSize, routing.alpha), spec);
  if (routing.kind === 'file') {
    const file = readRoutingFile(spec, routing, files);
    if ('ids' in file) return repeated(file.ids, spec);
    return weighted(spec, file.weights);
  }
  if (routing.kind === 'groupLimited') return grouped(spec, routing.numGroups, routing.topkGroups);
  return weighted(spec, expertWeights(spec));
}

function firstTokens(spec: MoeSpec, rank: number): number {
  let first = 0;
  for (let before = 0; before < rank; before++) first += tokensOfRank(spec, before);
  return first;
}

function powerLawIds(spec: MoeSpec, worldSize: number, alpha: number): Int32Array {
  const totalTokens = firstTokens(spec, worldSize);
  const { numExperts, numTopk } = spec;
  const shape = { numExperts, numTopk, worldSize, totalTokens, alpha };
  const random = new KeyedRandom(spec.seed, STREAM.ids);
  return totalTokens === 0 ? new Int32Array(0) : assignLoads(powerLawLoads(shape, random), shape, random);
}

function sliceOf(ids: Int32Array, spec: MoeSpec): IdSource {
  return (rank, numTokens) => {
    const first = firstTokens(spec, rank) * spec.numTopk;
    return ids.slice(first, first + numTokens * spec.numTopk);
  };
}

/** Tokens of the file one after the other over all ranks, from the start again when it ends. */
function repeated(ids: Int32Array, spec: MoeSpec): IdSource {
  return (rank, numTokens) => {
    const first = firstTokens(spec, rank) * spec.numTopk;
    return Int32Array.from(
      { length: numTokens * spec.numTopk },
      (_, index) => ids[(first + index) % ids.length] ?? -1,
    );
  };
}

/** Popularity of each expert; which experts are popular is the seed's choice. */
function expertWeights(spec: MoeSpec): Float64Array {
  const { numExperts, routing } = spec;
  const order = new KeyedRandom(spec.seed, STREAM.experts).shuffle(
    Int32Array.from({ length: numExperts }, (_, expert) => expert),
  );
  const weights = new Float64Array(numExperts).fill(1);
  order.forEach((expert, place) => {
    if (routing.kind === 'zipf') weights[expert] = (place + 1) ** -routing.exponent;
    if (routing.kind !== 'kHot') return;
    const { hotExperts, hotFraction } = routing;
    const others = numExperts - hotExperts;
    const share = place < hotExperts ? hotFraction / hotExperts : (1 - hotFraction) / Math.max(1, others);
    // Nothing is quite impossible: a token needs numTopk different experts.
    weights[expert] = Math.max(share, 1e-9);
  });
  return weights;
}

/** numTopk experts without repetition, in proportion to their weights (exponential keys: smallest of -ln(u) / w). */
function weighted(spec: MoeSpec, weights: Float64Array): IdSource {
  const possible = [...weights.keys()].filter((expert) => (weights[expert] ?? 0) > 0);
  return (rank, numTokens) => {
    const random = new KeyedRandom(spec.seed, STREAM.ids, rank);
    const ids = new Int32Array(numTokens * spec.numTopk);
    const keys = new Float64Array(spec.numExperts);
    for (let token = 0; token < numTokens; token++) {
      for (const expert of possible) keys[expert] = -Math.log(random.unit()) / (weights[expert] ?? 0);
      ids.set(smallest(possible, keys, spec.numTopk), token * spec.numTopk);
    }
    return ids;
  };
}

/** As DeepSeek-V3 routes: a group's score is the sum of its two best experts; the best groups' best experts. */
function grouped(spec: MoeSpec, numGroups: number, topkGroups: number): IdSource {
  const perGroup = spec.numExperts / numGroups;
  const groups = Array.from({ length: numGroups }, (_, group) => group);
  return (rank, numTokens) => {
    const random = new KeyedRandom(spec.seed, STREAM.ids, rank);
    const ids = new Int32Array(numTokens * spec.numTopk);
    const keys = new Float64Array(spec.numExperts);
    for (let token = 0; token < numTokens; token++) {
      for (let expert = 0; expert < keys.length; expert++) keys[expert] = -random.unit();
      const groupKeys = Float64Array.from(groups, (group) => {
        const [best = 0, next = 0] = keys.slice(group * perGroup, (group + 1) * perGroup).sort();
        return best + next;
      });
      const chosen = smallest(groups, groupKeys, topkGroups);
      const possible = chosen.flatMap((group) =>
        Array.from({ length: perGroup }, (_, i) => group * perGroup + i),
      );
      ids.set(smallest(possible, keys, spec.numTopk), token * spec.numTopk);
    }
    return ids;
  };
}

/** The `count` candidates with the smallest keys, smallest first. */
function smallest(candidates: readonly number[], keys: Float64Array, count: number): number[] {
  return [...candidates].sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0)).slice(0, count);
}

function mask(ids: Int32Array, spec: MoeSpec, rank: number): void {
  if (spec.routing.maskedFraction === 0) return;
  const random = new KeyedRandom(spec.seed, STREAM.mask, rank);
  ids.forEach((_, index) => {
    if (random.unit() < spec.routing.maskedFraction) ids[index] = -1;
  });
}

function makeWeights(spec: MoeSpec, rank: number, numTokens: number): Float32Array {
  const random = new KeyedRandom(spec.seed, STREAM.weights, rank);
  const weights = new Float32Array(numTokens * spec.numTopk);
  for (let token = 0; token < numTokens; token++) {
    const scores = Array.from({ length: spec.numTopk }, () => 0.1 + random.unit());
    const sum = scores.reduce((a, b) => a + b, 0);
    weights.set(
      scores.map((score) => score / sum),
      token * spec.numTopk,
    );
  }
  return weights;
}

function readRoutingFile(
  spec: MoeSpec,
  routing: MoeSpec['routing'] & { kind: 'file' },
  files: FilePlaces,
): ReturnType<typeof parseRoutingFile> {
  const answer = rereadFile(routing, files, ROUTING_FILE_LIMIT_BYTES);
  if ('wrong' in answer) throw new RunnerError('E_IO', `routing file ${answer.wrong}`);
  return parseRoutingFile(answer.text, { ...spec, layer: routing.layer });
}
