/** The plan of a point as data: which pages and heads go from which rank to which, and what must arrive. */
import type { RankMove, TransferredBlocks } from '../../runner/native/types/index.js';
import { itemAt } from '../../runner/values/items.js';
import { seededRandom, shuffledIds } from '../kv/random.js';
import { planFlows, type Flow, type FlowPlan } from './flows.js';
import { givenHeads } from './heads.js';
import { pageBytesBetween } from './loads.js';
import { modelGroups, pagesPerFlowBlock, type SideName } from './sides.js';
import type { TransferSpec } from './spec.generated.js';

export type Operation = 'write' | 'read';

/** Everything that ranks must agree on; the same on all of them. */
export interface TransferPlan {
  readonly spec: TransferSpec;
  readonly flowPlan: FlowPlan;
  /** By instance: pages of its pool in the order in which flows take them. */
  readonly sourcePages: readonly Int32Array[];
  readonly targetPages: readonly Int32Array[];
}

/** A move, and what it carries. */
export interface PlannedMove extends RankMove {
  readonly bytes: number;
}

/** Keeps the two sides' random orders apart. */
const SALTS: Readonly<Record<SideName, number>> = { source: 1, target: 2 };

export function makePlan(spec: TransferSpec, worldSize: number): TransferPlan {
  const flowPlan = planFlows(spec, worldSize);
  const pagesOf = (side: SideName, blocks: readonly number[]): Int32Array[] =>
    blocks.map((count, instance) => pagesInOrder(spec, side, instance, count));
  return {
    spec,
    flowPlan,
    sourcePages: pagesOf('source', flowPlan.sourceBlocks),
    targetPages: pagesOf('target', flowPlan.targetBlocks),
  };
}

/** Pages of the instance's pool, flow block by flow block: the blocks may be shuffled, the pages inside one follow each other. */
function pagesInOrder(spec: TransferSpec, side: SideName, instance: number, count: number): Int32Array {
  const per = pagesPerFlowBlock(spec);
  const order =
    spec.order === 'shuffled'
      ? shuffledIds(count, count, seededRandom(spec.seed, instance, SALTS[side]))
      : Int32Array.from({ length: count }, (_, block) => block);
  const pages = new Int32Array(count * per);
  for (const [place, block] of order.entries()) {
    for (let page = 0; page < per; page++) pages[place * per + page] = block * per + page;
  }
  return pages;
}

/** Page i of the first list goes to page i of the second. */
function flowPages(plan: TransferPlan, flow: Flow): { source: Int32Array; target: Int32Array } {
  const per = pagesPerFlowBlock(plan.spec);
  const cut = (pages: Int32Array, first: number): Int32Array =>
    pages.subarray(first * per, (first + flow.blocks) * per);
  return {
    source: cut(itemAt(plan.sourcePages, flow.source), flow.sourceFirst),
    target: cut(itemAt(plan.targetPages, flow.target), flow.targetFirst),
  };
}

/** What `rank` starts: it writes from its source pool, or reads into its target pool. Ranks meet in one flow at most. */
export function movesOf(plan: TransferPlan, op: Operation, rank: number): PlannedMove[] {
  const { spec, flowPlan } = plan;
  const [own, other]: readonly [SideName, SideName] =
    op === 'write' ? ['source', 'target'] : ['target', 'source'];
  const sizes = { source: spec.sourceTensorParallel, target: spec.targetTensorParallel };
  const instance = Math.floor(rank / sizes[own]);
  return flowPlan.flows
    .filter((flow) => flow[own] === instance)
    .flatMap((flow) =>
      Array.from({ length: sizes[other] }, (_, place) => {
        const peer = flow[other] * sizes[other] + place;
        const [sourceRank, targetRank] = op === 'write' ? [rank, peer] : [peer, rank];
        return moveBetween(plan, flow, { sourceRank, targetRank, peer });
      }),
    )
    .filter((move) => move.heads.some(({ begin, end }) => end > begin));
}

function moveBetween(
  plan: TransferPlan,
  flow: Flow,
  ranks: { readonly sourceRank: number; readonly targetRank: number; readonly peer: number },
): PlannedMove {
  const { spec } = plan;
  const groups = modelGroups(spec);
  const pair = {
    sourceSize: spec.sourceTensorParallel,
    sourcePlace: ranks.sourceRank % spec.sourceTensorParallel,
    targetSize: spec.targetTensorParallel,
    targetPlace: ranks.targetRank % spec.targetTensorParallel,
    targetInstance: flow.target,
  };
  const heads = groups.map((group) => givenHeads(group, pair));
  const { source, target } = flowPages(plan, flow);
  return {
    peer: ranks.peer,
    sourcePages: source,
    targetPages: target,
    heads,
    bytes: pageBytesBetween(spec, pair) * source.length,
  };
}

/** What `rank`'s target pool must hold in the end: every flow into its instance, told by the page and the model. */
export function arrivals(plan: TransferPlan, rank: number): TransferredBlocks[] {
  const { spec, flowPlan } = plan;
  const instance = Math.floor(rank / spec.targetTensorParallel);
  const [layerBegin = 0, layerEnd = 0] = spec.layerRange;
  return flowPlan.flows
    .filter(({ target }) => target === instance)
    .map((flow) => {
      const { source: sourceIds, target: targetIds } = flowPages(plan, flow);
      return { from: spec.from, owner: flow.source, sourceIds, targetIds, layerBegin, layerEnd };
    });
}

/** Blocks of the larger page size in the pools of `rank`; 0: it has no such pool. */
export function poolBlocksOf(
  { spec, flowPlan }: TransferPlan,
  rank: number,
): Readonly<Record<SideName, number>> {
  return blocksOfRank(spec, flowPlan, rank);
}

/** The same, where nobody asks which pages. */
export function blocksOfRank(
  spec: TransferSpec,
  flowPlan: FlowPlan,
  rank: number,
): Readonly<Record<SideName, number>> {
  return {
    source: flowPlan.sourceBlocks[Math.floor(rank / spec.sourceTensorParallel)] ?? 0,
    target: flowPlan.targetBlocks[Math.floor(rank / spec.targetTensorParallel)] ?? 0,
  };
}
