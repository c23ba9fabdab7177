#pragma once

#include <cstdint>
#include <string>

namespace railrunner {

enum class LayoutKind : uint32_t { kFullyContiguous = 0, kLayerSeparate = 1 };
// layerSeparate: order inside a layer's buffer, [block, outer, page, inner] or [outer, block, page, inner].
enum class BlockDim : uint32_t { kFirst = 0, kSecond = 1 };

struct LayoutShape {
  LayoutKind kind = LayoutKind::kFullyContiguous;
  BlockDim blockDim = BlockDim::kFirst;
  uint32_t numLayers = 0;
  uint32_t outerDim = 0;         // 2: K and V apart, 1: fused or MLA
  uint32_t pageSize = 0;         // tokens a block
  uint32_t innerDim = 0;         // elements a token, layer and outer index
  uint32_t dtypeWidthBytes = 0;  // 1 (fp8) to 8
  uint64_t alignment = 1;        // power of two, of an extent's start
};

// Where each region of a pool lies, as three strides: plain numbers, so that a kernel takes them by value.
//   offset(block, layer, outer) = block * blockStride + layer * layerStride + outer * outerStride
// A region is the contiguous bytes of one (block, layer, outer). An extent is the longest contiguous run that
// belongs to one block: the whole block (fullyContiguous), one layer of it (block first), or one region
// (block second). The extents of a pool follow each other at blockStride; between layers of layerSeparate a
// gap can lie.
struct BlockLayout {
  LayoutKind kind = LayoutKind::kFullyContiguous;
  BlockDim blockDim = BlockDim::kFirst;
  uint32_t numBlocks = 0;
  uint32_t numLayers = 0;
  uint32_t outerDim = 0;
  uint64_t regionBytes = 0;
  uint64_t bytesPerBlock = 0;  // natural: numLayers * outerDim * regionBytes, without padding
  uint64_t blockStride = 0;
  uint64_t layerStride = 0;
  uint64_t outerStride = 0;
  uint64_t extentBytes = 0;      // without padding; blockStride - extentBytes of padding follow
  uint32_t extentsPerBlock = 0;  // 1, numLayers, or numLayers * outerDim
  uint64_t layerGapBytes = 0;    // behind each layer's buffer; 0 for fullyContiguous
  uint64_t totalBytes = 0;       // with all padding
  uint64_t alignment = 1;        // of the pool's first byte

  uint64_t offset(uint32_t block, uint32_t layer, uint32_t outer) const {
    return block * blockStride + layer * layerStride + outer * outerStride;
  }
  uint64_t numExtents() const { return static_cast<uint64_t>(extentsPerBlock) * numBlocks; }
};

// One contiguous run of one block.
struct Extent {
  uint64_t offset;  // in the pool
  uint32_t block;
  uint32_t layerBegin, layerEnd;
  uint32_t outerBegin, outerEnd;
};

// The extent at `index`: extents are numbered by address, so index / numBlocks is the layer (and outer) part.
Extent extentAt(const BlockLayout& layout, uint64_t index);

// Bytes at which layer buffers start in one allocation, at least.
constexpr uint64_t kLayerAlignmentBytes = 512;
// Geometry of the disk tier: every extent starts at a multiple of this, so that direct I/O can reach it
// alone.
constexpr uint64_t kDiskBlockBytes = 4096;

// Checked against overflow and illegal dimensions (kArgument).
// `minAlignment`: kDiskBlockBytes for the disk tier, 1 else; extents are padded to the larger of the two
// alignments.
BlockLayout makeLayout(const LayoutShape& shape, uint32_t numBlocks, uint64_t minAlignment);

// Copies need equal regions: same numLayers, outerDim and regionBytes. Throws kArgument naming both.
void requireSameRegions(const BlockLayout& source, const BlockLayout& target);

}  // namespace railrunner
