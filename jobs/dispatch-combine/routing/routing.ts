/** The routing of every rank: a function of the resolved spec and the world's size, the same on all ranks. */
import { createHash } from 'node:crypto';
import { RunnerError } from '../../../runner/errors.js';
import { rereadFile, type FilePlaces } from '../../../runner/job-spec/files.js';
import { tokensOfRank, type MoeSpec } from '../moe-spec.js';
import { grouped, mask, tokenWeights, weighted, type IdSource } from './choices.js';
import { parseRoutingFile, ROUTING_FILE_LIMIT_BYTES } from './file.js';
import { assignLoads, powerLawLoads } from './power-law.js';
import { KeyedRandom } from './random.js';

/** One rank's tokens. */
export interface RankRouting {
  readonly numTokens: number;
  /** [numTokens, numTopk]; -1 = no choice. */
  readonly topkIdx: Int32Array;
  /** [numTokens, numTopk]; positive, a token's sum to about 1. */
  readonly topkWeights: Float32Array;
}

export interface Routing {
  readonly ranks: readonly RankRouting[];
  /** sha256 over all ranks' token counts, ids and weights. */
  readonly digest: string;
}

/** Independent sequences of one seed. */
const STREAM = { ids: 1, weights: 2, mask: 3, experts: 4 } as const;

export function makeRouting(spec: MoeSpec, worldSize: number, files: FilePlaces = {}): Routing {
  const ranks: RankRouting[] = [];
  const idsOf = idSource(spec, worldSize, files);
  for (let rank = 0; rank < worldSize; rank++) {
    const numTokens = tokensOfRank(spec, rank);
    const topkIdx = idsOf(rank, numTokens);
    mask(topkIdx, spec.routing.maskedFraction, new KeyedRandom(spec.seed, STREAM.mask, rank));
    const random = new KeyedRandom(spec.seed, STREAM.weights, rank);
    ranks.push({ numTokens, topkIdx, topkWeights: tokenWeights(numTokens, spec.numTopk, random) });
  }
  const hash = createHash('sha256');
  for (const { numTokens, topkIdx, topkWeights } of ranks) {
    hash.update(`${numTokens};`);
    for (const array of [topkIdx, topkWeights])
      hash.update(Buffer.from(array.buffer, array.byteOffset, array.byteLength));
  }
  return { ranks, digest: hash.digest('hex') };
}

function idSource(spec: MoeSpec, worldSize: number, files: FilePlaces): IdSource {
  const { routing } = spec;
  if (routing.kind === 'powerLaw')
    return sliceOf(powerLawIds(spec, worldSize, routing.alpha), spec, worldSize);
  if (routing.kind === 'file') {
    const file = readRoutingFile(spec, routing, files);
    if ('ids' in file) return repeated(file.ids, spec, worldSize);
    return weighted(spec, file.weights, STREAM.ids);
  }
  if (routing.kind === 'groupLimited') {
    return grouped(spec, routing.numGroups, routing.topkGroups, STREAM.ids);
  }
  return weighted(spec, expertWeights(spec), STREAM.ids);
}

/** Tokens of the ranks before each one; the last is the number of all. */
function firstTokens(spec: MoeSpec, worldSize: number): number[] {
  const first = [0];
  for (let rank = 0; rank < worldSize; rank++) first.push((first[rank] ?? 0) + tokensOfRank(spec, rank));
  return first;
}

function powerLawIds(spec: MoeSpec, worldSize: number, alpha: number): Int32Array {
  const totalTokens = firstTokens(spec, worldSize)[worldSize] ?? 0;
  const { numExperts, numTopk } = spec;
  const shape = { numExperts, numTopk, worldSize, totalTokens, alpha };
  const random = new KeyedRandom(spec.seed, STREAM.ids);
  return totalTokens === 0 ? new Int32Array(0) : assignLoads(powerLawLoads(shape, random), shape, random);
}

function sliceOf(ids: Int32Array, spec: MoeSpec, worldSize: number): IdSource {
  const firsts = firstTokens(spec, worldSize);
  return (rank, numTokens) => {
    const first = (firsts[rank] ?? 0) * spec.numTopk;
    return ids.slice(first, first + numTokens * spec.numTopk);
  };
}

/** Tokens of the file one after the other over all ranks, from the start again when it ends. */
function repeated(ids: Int32Array, spec: MoeSpec, worldSize: number): IdSource {
  const firsts = firstTokens(spec, worldSize);
  return (rank, numTokens) => {
    const first = (firsts[rank] ?? 0) * spec.numTopk;
    const own = new Int32Array(numTokens * spec.numTopk);
    for (let index = 0; index < own.length; index++) own[index] = ids[(first + index) % ids.length] ?? -1;
    return own;
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

function readRoutingFile(
  spec: MoeSpec,
  routing: MoeSpec['routing'] & { kind: 'file' },
  files: FilePlaces,
): ReturnType<typeof parseRoutingFile> {
  const answer = rereadFile(routing, files, ROUTING_FILE_LIMIT_BYTES);
  if ('wrong' in answer) throw new RunnerError('E_IO', `routing file ${answer.wrong}`);
  return parseRoutingFile(answer.text, { ...spec, layer: routing.layer });
}
