/** Bytes that each rank of a transfer gives, takes and has cross its link, and by them the bound of its time. */
import { formatBytes } from '../../runner/text/bytes.js';
import { LastAnswer } from '../../runner/values/last-answer.js';
import { planFlows, type FlowPlan } from './flows.js';
import { givenHeads, type RankPair } from './heads.js';
import { headPageBytes, modelGroups, pagesPerFlowBlock } from './sides.js';
import type { TransferSpec } from './spec.generated.js';

/** Bytes of one iteration of one rank. */
export interface RankLoad {
  /** What it writes, or others read of it; and what it reads, or others write to it. Its own to itself included. */
  readonly given: number;
  readonly taken: number;
  /** Of these, what leaves for other ranks and arrives from them. */
  readonly leaving: number;
  readonly arriving: number;
}

export interface Loads {
  readonly flowPlan: FlowPlan;
  readonly ranks: readonly RankLoad[];
}

/** Every rank of a plan asks for the same. */
const answers = new LastAnswer<Loads>();

export function loadsOf(spec: TransferSpec, worldSize: number): Loads {
  return answers.of(spec, String(worldSize), () => {
    const flowPlan = planFlows(spec, worldSize);
    return { flowPlan, ranks: rankLoads(spec, flowPlan, worldSize) };
  });
}

/** Bytes of one page, of all groups, that a pair of ranks moves. */
export function pageBytesBetween(spec: TransferSpec, pair: RankPair): number {
  return modelGroups(spec).reduce((sum, group) => {
    const { begin, end } = givenHeads(group, pair);
    return sum + (end - begin) * headPageBytes(spec, group);
  }, 0);
}

function rankLoads(spec: TransferSpec, { flows }: FlowPlan, worldSize: number): RankLoad[] {
  const { sourceTensorParallel: sourceSize, targetTensorParallel: targetSize } = spec;
  const sums = Array.from({ length: worldSize }, () => ({ given: 0, taken: 0, leaving: 0, arriving: 0 }));
  const perBlock = pagesPerFlowBlock(spec);
  const bytesOf = pairBytes(spec);
  for (const { source, target, blocks } of flows) {
    for (let sourcePlace = 0; sourcePlace < sourceSize; sourcePlace++) {
      for (let targetPlace = 0; targetPlace < targetSize; targetPlace++) {
        const pair = { sourceSize, sourcePlace, targetSize, targetPlace, targetInstance: target };
        const bytes = bytesOf(pair) * blocks * perBlock;
        const [from, to] = [source * sourceSize + sourcePlace, target * targetSize + targetPlace];
        const [giver, taker] = [sums[from], sums[to]];
        if (giver === undefined || taker === undefined) throw new Error(`a flow from rank ${from} to ${to}`);
        giver.given += bytes;
        taker.taken += bytes;
        if (from === to) continue;
        giver.leaving += bytes;
        taker.arriving += bytes;
      }
    }
  }
  return sums;
}

/** Instances take turns among as many source ranks as there are, so that few answers serve any number of flows. */
function pairBytes(spec: TransferSpec): (pair: RankPair) => number {
  const known = new Map<string, number>();
  return (pair) => {
    const turn = pair.targetInstance % pair.sourceSize;
    const key = `${pair.sourcePlace} ${pair.targetPlace} ${turn}`;
    const bytes = known.get(key) ?? pageBytesBetween(spec, pair);
    known.set(key, bytes);
    return bytes;
  };
}

/**
 * No iteration ends before the busiest rank has sent, or received, what crosses its link. Each direction by itself: links
 * carry both at once.
 */
export function boundText({ ranks }: Loads): string {
  let busiest = { bytes: 0, text: 'none: all bytes stay on their ranks' };
  for (const [rank, { leaving, arriving }] of ranks.entries()) {
    for (const [bytes, does] of [
      [leaving, 'sends'],
      [arriving, 'receives'],
    ] as const) {
      if (bytes > busiest.bytes) busiest = { bytes, text: `rank ${rank} ${does} ${formatBytes(bytes)}` };
    }
  }
  return busiest.text;
}
