/**
 * Where the bytes of a block lie. Sizes are in bytes. A region is the contiguous run of one (block, group of layers,
 * layer, outer index); in a layout without groups all regions have pageSize x innerDim x dtypeWidthBytes.
 * fullyContiguous orders (block, group, layer, outer, page, inner) in one allocation; layerSeparate has one buffer for
 * each layer of each group. native/kv/block_layout.cc places the same; a test compares both.
 */
import type { KvLayout } from './spec.generated.js';
import { groupRegionBytes, type KvGroup } from './models/geometry.js';
import type { Tier } from '../../runner/native/types/index.js';
import { valueOf } from '../../runner/values/items.js';

/** O_DIRECT wants offsets, lengths and addresses at multiples of the sector; 4096 suits every disk in use. */
const DISK_ALIGNMENT_BYTES = 4096;
/** Each buffer starts at a multiple of this. */
const BUFFER_ALIGNMENT_BYTES = 512;
/** Allocations start at multiples of this by themselves. */
const NATURAL_ALIGNMENT_BYTES = 256;

/** Layers of a block whose regions are alike. */
export interface RegionGroup {
  /** '' where it is the only group. */
  readonly name: string;
  /** Among the layers that hold anything, from 0, ascending. */
  readonly layers: readonly number[];
  /** Of one block and layer, by outer index: K and V, or one. */
  readonly regionBytes: readonly number[];
}

export interface BlockGroup extends RegionGroup {
  /** Tokens after which an entry is no longer kept; null: kept for the whole context. */
  readonly window: number | null;
}

/** Groups that share block ids. */
export interface PoolSection {
  readonly groups: readonly RegionGroup[];
  readonly numBlocks: number;
}

export interface PoolSizes {
  /** All buffers, in one piece: what a pool has on disk. */
  readonly totalBytes: number;
  /** What a pool asks device or host memory for: all buffers, and padding to align their start. */
  readonly allocationBytes: number;
}

/** The groups of a block, as every tier stores them. */
export function regionGroups(layout: KvLayout): readonly BlockGroup[] {
  if (layout.groups !== undefined) return namedGroups(layout.groups, layout.pageSize);
  const { numLayers, outerDim = 1, pageSize, innerDim = 1, dtypeWidthBytes } = layout;
  const regionBytes = Array<number>(outerDim).fill(pageSize * innerDim * dtypeWidthBytes);
  const layers = Array.from({ length: numLayers }, (_, layer) => layer);
  return [{ name: '', layers, regionBytes, window: null }];
}

function namedGroups(groups: readonly KvGroup[], pageSize: number): BlockGroup[] {
  const kept = [...new Set(groups.flatMap(({ layers }) => layers))].sort((a, b) => a - b);
  const placeOf = new Map(kept.map((layer, place) => [layer, place]));
  return groups.map((group) => ({
    name: groups.length === 1 ? '' : group.name,
    layers: group.layers.map((layer) => valueOf(placeOf, layer)),
    regionBytes: groupRegionBytes(group, pageSize),
    window: group.window,
  }));
}

/** Bytes of one layer of a block. */
export function layerBytes(group: RegionGroup): number {
  return group.regionBytes.reduce((sum, bytes) => sum + bytes, 0);
}

/** Bytes of a block without padding, in the layers [start, end). */
export function blockBytes(groups: readonly RegionGroup[], start = 0, end = Infinity): number {
  return groups.reduce((sum, group) => {
    const inside = group.layers.filter((layer) => layer >= start && layer < end).length;
    return sum + inside * layerBytes(group);
  }, 0);
}

function alignUp(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Sizes of a pool. Beyond 2^53 the numbers are no longer exact: `check` refuses those. */
export function poolSizes(
  layout: Pick<KvLayout, 'alignment' | 'kind' | 'blockDim'>,
  sections: readonly PoolSection[],
): PoolSizes {
  const { alignment } = layout;
  const buffer = (bytes: number): number => alignUp(bytes, Math.max(alignment, BUFFER_ALIGNMENT_BYTES));
  let totalBytes = 0;
  for (const [index, { groups, numBlocks }] of sections.entries()) {
    if (layout.kind === 'fullyContiguous') {
      totalBytes += numBlocks * alignUp(blockBytes(groups), alignment);
      if (index + 1 < sections.length) totalBytes = buffer(totalBytes);
      continue;
    }
    for (const group of groups) {
      const extents = layout.blockDim === 'first' ? [layerBytes(group)] : group.regionBytes;
      const strides = extents.reduce((sum, bytes) => sum + alignUp(bytes, alignment), 0);
      totalBytes += group.layers.length * buffer(numBlocks * strides);
    }
  }
  const slackBytes = alignment > NATURAL_ALIGNMENT_BYTES ? alignment : 0;
  return { totalBytes, allocationBytes: totalBytes + slackBytes };
}

/** The layout as a tier stores it: on disk, runs start at sectors. */
export function storedLayout(layout: KvLayout, tier: Tier): KvLayout {
  if (tier !== 'disk') return layout;
  return { ...layout, alignment: Math.max(layout.alignment, DISK_ALIGNMENT_BYTES) };
}
