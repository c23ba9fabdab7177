/** The two sides of a transfer as each rank holds them: layouts, pages and bytes. */
import type { HeadRange, NativeGroup, NativeLayout, PoolOptions } from '../../runner/native/types/index.js';
import { itemAt, valueOf } from '../../runner/values/items.js';
import { poolSizes, type PoolSizes } from '../kv/layout.js';
import { splitGroups } from '../kv/models/split-groups.js';
import { groupRegionBytes, type KvGroup } from '../kv/models/geometry.js';
import { heldHeads, isSplit } from './heads.js';
import type { TransferLayout, TransferSpec } from './spec.generated.js';

export type SideName = 'source' | 'target';

export interface Side {
  readonly name: SideName;
  readonly layout: TransferLayout;
  readonly tier: 'device' | 'host';
  readonly tensorParallel: number;
}

export function sideOf(spec: TransferSpec, name: SideName): Side {
  return name === 'source'
    ? { name, layout: spec.layout, tier: spec.from, tensorParallel: spec.sourceTensorParallel }
    : { name, layout: spec.targetLayout, tier: spec.to, tensorParallel: spec.targetTensorParallel };
}

/** Tokens of a page, the unit that both sides are cut into: the smaller of their blocks. */
export function pageTokens({ layout, targetLayout }: Pick<TransferSpec, 'layout' | 'targetLayout'>): number {
  return Math.min(layout.pageSize, targetLayout.pageSize);
}

/** Pages of the larger of the two blocks, by which flows are counted. */
export function pagesPerFlowBlock(spec: Pick<TransferSpec, 'layout' | 'targetLayout'>): number {
  return Math.max(spec.layout.pageSize, spec.targetLayout.pageSize) / pageTokens(spec);
}

/** Whole model, by group; the same on both sides. */
export function modelGroups(spec: TransferSpec): readonly KvGroup[] {
  return spec.layout.groups as readonly KvGroup[];
}

/** Bytes of all layers of [start, end) of one page and one of the group's heads; of the whole page where heads are not split. */
export function headPageBytes(spec: TransferSpec, group: KvGroup): number {
  const [start = 0, end = 0] = spec.layerRange;
  const layers = keptLayers(modelGroups(spec), group).filter((layer) => layer >= start && layer < end).length;
  const bytes = groupRegionBytes(group, pageTokens(spec)).reduce((sum, each) => sum + each, 0);
  return (layers * bytes) / (isSplit(group) ? group.kvHeads : 1);
}

/** Layers are numbered among those that keep anything. */
function keptLayers(groups: readonly KvGroup[], group: KvGroup): number[] {
  const kept = [...new Set(groups.flatMap(({ layers }) => layers))].sort((a, b) => a - b);
  const placeOf = new Map(kept.map((layer, place) => [layer, place]));
  return group.layers.map((layer) => valueOf(placeOf, layer));
}

/** Layout of the pool on place `place` of an instance. */
export function nativeLayout(spec: TransferSpec, side: Side, place: number): NativeLayout {
  const groups = modelGroups(spec);
  const { kind, blockDim, alignment, pageSize, headOrder } = side.layout;
  const split = splitOf(groups, side.tensorParallel);
  return {
    kind,
    blockDim,
    alignment,
    groups: groups.map((group, index): NativeGroup => {
      const heads = heldHeads(group, side.tensorParallel, place);
      const range: HeadRange = {
        firstHead: heads.begin,
        numHeads: heads.end - heads.begin,
        totalHeads: group.kvHeads,
        order: headOrder,
      };
      return {
        name: groups.length === 1 ? '' : group.name,
        layers: keptLayers(groups, group),
        regionBytes: groupRegionBytes(itemAt(split, index), pageSize),
        section: 0,
        ...(isSplit(group) ? { heads: range } : {}),
      };
    }),
    pages: { pagesPerBlock: pageSize / pageTokens(spec), pageTokens: pageTokens(spec) },
  };
}

function splitOf(groups: readonly KvGroup[], tensorParallel: number): readonly KvGroup[] {
  const answer = splitGroups(groups, tensorParallel);
  if (!('groups' in answer)) throw new Error(`heads of group ${answer.group} over ${tensorParallel} ranks`);
  return answer.groups;
}

/** Blocks of the side's own page size in a pool of `flowBlocks`. */
function ownBlocks(spec: TransferSpec, side: Side, flowBlocks: number): number {
  return (flowBlocks * pagesPerFlowBlock(spec) * pageTokens(spec)) / side.layout.pageSize;
}

/** Bytes of the pool of one rank; every place of an instance has as many. */
export function sideSizes(spec: TransferSpec, side: Side, flowBlocks: number): PoolSizes {
  const layout = nativeLayout(spec, side, 0);
  const groups = layout.groups.map(({ name, layers, regionBytes }) => ({ name, layers, regionBytes }));
  return poolSizes(side.layout, [{ groups, numBlocks: ownBlocks(spec, side, flowBlocks) }]);
}

export function poolOptions(
  spec: TransferSpec,
  side: Side,
  place: number,
  flowBlocks: number,
  threads: number,
): PoolOptions {
  return {
    tier: side.tier,
    layout: nativeLayout(spec, side, place),
    sectionBlocks: [ownBlocks(spec, side, flowBlocks)],
    diskPath: '',
    threads,
    sharedWithPeers: true,
  };
}
