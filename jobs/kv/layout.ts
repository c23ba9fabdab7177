/**
 * Where the bytes of a block lie. Sizes are in bytes. A region is the contiguous run of one (block, layer, outer):
 * pageSize x innerDim x dtypeWidthBytes. Strides follow the KV block manager's layouts: fullyContiguous orders
 * (block, layer, outer, page, inner) in one allocation; layerSeparate has one buffer a layer.
 */
import type { KvLayout } from './kv-spec.js';
import type { Tier } from '../../runner/native/types/index.js';

/** O_DIRECT wants offsets, lengths and addresses at multiples of the sector; 4096 suits every disk in use. */
export const DISK_ALIGNMENT_BYTES = 4096;
/** Each layer of layerSeparate starts at a multiple of this. */
const LAYER_ALIGNMENT_BYTES = 512;
/** Allocations start at multiples of this by themselves. */
const NATURAL_ALIGNMENT_BYTES = 256;

export interface LayoutSizes {
  readonly regionBytes: number;
  /** Bytes of a block without padding: numLayers x outerDim x region. */
  readonly naturalBlockBytes: number;
  readonly outerStrideBytes: number;
  /** fullyContiguous: from layer to layer in a block; layerSeparate: 0, each layer has a buffer of its own. */
  readonly layerStrideBytes: number;
  readonly blockStrideBytes: number;
  /** Buffers: 1, or one a layer. */
  readonly numBuffers: number;
  /** Bytes of each buffer, padded so that the next one starts aligned. */
  readonly bufferBytes: number;
  /** All buffers, in one piece: what a pool has on disk. */
  readonly totalBytes: number;
  /** What a pool asks device or host memory for: all buffers, and room to align their start. */
  readonly allocationBytes: number;
}

function alignUp(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Sizes of a pool of `numBlocks`. Beyond 2^53 the numbers are no longer exact: `check` refuses those. */
export function layoutSizes(layout: KvLayout, numBlocks: number): LayoutSizes {
  const { numLayers, outerDim, alignment } = layout;
  const regionBytes = layout.pageSize * layout.innerDim * layout.dtypeWidthBytes;
  const naturalBlockBytes = numLayers * outerDim * regionBytes;
  const slackBytes = alignment > NATURAL_ALIGNMENT_BYTES ? alignment : 0;
  if (layout.kind === 'fullyContiguous') {
    const blockStrideBytes = alignUp(naturalBlockBytes, alignment);
    const bufferBytes = numBlocks * blockStrideBytes;
    return {
      regionBytes,
      naturalBlockBytes,
      outerStrideBytes: regionBytes,
      layerStrideBytes: regionBytes * outerDim,
      blockStrideBytes,
      numBuffers: 1,
      bufferBytes,
      totalBytes: bufferBytes,
      allocationBytes: bufferBytes + slackBytes,
    };
  }
  const blockFirst = layout.blockDim === 'first';
  const blockStrideBytes = alignUp(blockFirst ? regionBytes * outerDim : regionBytes, alignment);
  const layerBytes = blockStrideBytes * numBlocks * (blockFirst ? 1 : outerDim);
  const bufferBytes = alignUp(layerBytes, Math.max(alignment, LAYER_ALIGNMENT_BYTES));
  return {
    regionBytes,
    naturalBlockBytes,
    outerStrideBytes: blockFirst ? regionBytes : blockStrideBytes * numBlocks,
    layerStrideBytes: 0,
    blockStrideBytes,
    numBuffers: numLayers,
    bufferBytes,
    totalBytes: numLayers * bufferBytes,
    allocationBytes: numLayers * bufferBytes + slackBytes,
  };
}

/** The layout as a tier stores it: on disk, runs start at sectors. */
export function storedLayout(layout: KvLayout, tier: Tier): KvLayout {
  if (tier !== 'disk') return layout;
  return { ...layout, alignment: Math.max(layout.alignment, DISK_ALIGNMENT_BYTES) };
}
