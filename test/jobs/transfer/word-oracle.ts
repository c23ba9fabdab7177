/**
 * Independent of the code under test: which words every target rank must get, and which word each move gives it. A head
 * belongs to a rank where the head's share of the model and the rank's share of the instance overlap.
 */
import { arrivals, type PlannedMove, type TransferPlan } from '../../../jobs/transfer/moves.js';
import type { KvGroup } from '../../../jobs/kv/models/geometry.js';

export interface StartedMove {
  readonly op: 'write' | 'read';
  readonly rank: number;
  readonly move: PlannedMove;
}

function holds(group: KvGroup, size: number, place: number, head: number): boolean {
  if (group.kind !== 'kv' || group.kvHeads === 1) return head === 0;
  return place * group.kvHeads < (head + 1) * size && head * size < (place + 1) * group.kvHeads;
}

/** One sentence for each (block, layer, head) of a target rank that has not exactly the one source it needs. */
export function wrongWords(plan: TransferPlan, started: readonly StartedMove[], worldSize: number): string[] {
  const { spec } = plan;
  const groups = spec.layout.groups as readonly KvGroup[];
  const given = new Map<string, string[]>();
  const wrong: string[] = [];
  for (const { op, rank, move } of started) {
    const [source, target] = op === 'write' ? [rank, move.peer] : [move.peer, rank];
    for (const [index, { begin, end }] of move.heads.entries()) {
      const group = groups[index] as KvGroup;
      for (let head = begin; head < end; head++) {
        if (!holds(group, spec.sourceTensorParallel, source % spec.sourceTensorParallel, head)) {
          wrong.push(`${group.name} layer ${group.layers[0]} head ${head}: rank ${source} does not hold it`);
        }
        for (const [pair, page] of move.targetPages.entries()) {
          const word = `${target}/${page}/${index}/${head}`;
          const owner = Math.floor(source / spec.sourceTensorParallel);
          given.set(word, [...(given.get(word) ?? []), `${owner}/${move.sourcePages[pair]}`]);
        }
      }
    }
  }
  for (let rank = 0; rank < worldSize; rank++) {
    const place = rank % spec.targetTensorParallel;
    for (const { owner, sourceIds, targetIds } of arrivals(plan, rank)) {
      for (const [pair, page] of targetIds.entries()) {
        for (const [index, group] of groups.entries()) {
          for (let head = 0; head < Math.max(1, group.kvHeads); head++) {
            if (!holds(group, spec.targetTensorParallel, place, head)) continue;
            const key = `${rank}/${page}/${index}/${head}`;
            const sources = given.get(key) ?? [];
            given.delete(key);
            if (sources.length === 1 && sources[0] === `${owner}/${sourceIds[pair]}`) continue;
            wrong.push(
              `rank ${rank} block ${page} ${group.name} layer ${group.layers[0]} head ${head}: ` +
                `from ${sources.join(' and ') || 'nobody'}, expected ${owner}/${sourceIds[pair]}`,
            );
          }
        }
      }
    }
  }
  return [...wrong, ...[...given.keys()].map((key) => `${key}: given to a rank that does not hold it`)];
}
