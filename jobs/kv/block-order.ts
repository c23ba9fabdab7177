/**
 * Which blocks a rank moves, and in what order: two lists of equal length: ids in the source pool and in the target
 * pool, each id once. Deterministic: the same spec and rank give the same lists everywhere.
 */
import { RunnerError } from '../../runner/errors.js';
import type { FilePlaces } from '../../runner/job-spec/files.js';
import type { Tier } from '../../runner/native/types/index.js';
import { seededRandom, shuffledIds } from './random.js';
import type { KvSpec } from './spec.generated.js';
import { poolBlocks, traceOf } from './spec.js';
import { rereadTrace } from './trace.js';
import { walkTrace } from './walk-trace.js';

export interface BlockIds {
  /** Ids in the pool that is read; length = blocks. */
  readonly sourceIds: Int32Array;
  /** Ids in the pool that is written; length = blocks. */
  readonly targetIds: Int32Array;
}

export interface BlockOrder {
  /** from -> to. */
  readonly forward: BlockIds;
  /** to -> from at the same time, other blocks of the same pools; null where the job is not bidirectional. */
  readonly reverse: BlockIds | null;
}

/** Keeps the two pools' random orders apart. */
const SOURCE_SALT = 1;
const TARGET_SALT = 2;

/** The lists of one rank. Order trace reads the trace's file, which every rank must reach and find unchanged. */
export function blockOrder(spec: KvSpec, rank: number, files: FilePlaces = {}): BlockOrder {
  const { blocks } = spec;
  const count = spec.bidirectional ? 2 * blocks : blocks;
  const { sourceIds, targetIds, cut } =
    spec.order === 'trace'
      ? traceIds(spec, count, files)
      : { ...plainIds(spec, rank, count), cut: spec.bidirectional ? blocks : count };
  return {
    forward: { sourceIds: sourceIds.slice(0, cut), targetIds: targetIds.slice(0, cut) },
    reverse: spec.bidirectional ? { sourceIds: targetIds.slice(cut), targetIds: sourceIds.slice(cut) } : null,
  };
}

function plainIds(spec: KvSpec, rank: number, count: number): BlockIds {
  // In replicated mode the target ids must be the same on every rank: the root's load decides them for all.
  const who = spec.mode === 'replicated' ? 0 : rank;
  const idsIn = (tier: Tier, salt: number): Int32Array => {
    const capacity = poolBlocks(spec, tier);
    if (spec.order === 'shuffled') return shuffledIds(capacity, count, seededRandom(spec.seed, who, salt));
    const stride = spec.order === 'strided' ? Math.floor(capacity / count) : 1;
    return Int32Array.from({ length: count }, (_, place) => place * stride);
  };
  // A broadcast from the device is in place: its blocks keep their ids.
  const targetSalt = spec.from === spec.to ? SOURCE_SALT : TARGET_SALT;
  return { sourceIds: idsIn(spec.from, SOURCE_SALT), targetIds: idsIn(spec.to, targetSalt) };
}

/** The trace's lists are the same on every rank: tensor-parallel ranks see the same requests. */
function traceIds(spec: KvSpec, count: number, files: FilePlaces): BlockIds & { readonly cut: number } {
  const trace = traceOf(spec);
  const read = rereadTrace(trace, files);
  if ('wrong' in read) throw new RunnerError('E_IO', `the trace ${read.wrong}`);
  const walked = walkTrace(spec, read.requests.slice(0, trace.requests), count);
  // The spec is resolved with this file's requests, which were counted in the same way.
  if (walked.counts[0] !== count)
    throw new RunnerError('E_INTERNAL', `the trace touches ${walked.counts[0]} blocks, expected ${count}`);
  const cut = walked.numbers.findIndex((number) => number >= spec.blocks);
  const targetIds = spec.from === spec.to ? walked.source : walked.target;
  return { sourceIds: walked.source, targetIds, cut: cut < 0 ? walked.source.length : cut };
}
