#include "kv/block_layout.h"

#include <algorithm>

#include "core/checked.h"
#include "core/error.h"

namespace railrunner {

namespace {

void requireRange(const char* name, uint64_t value, uint64_t min, uint64_t max) {
  if (value >= min && value <= max) return;
  throw Error(ErrorCode::kArgument, std::string("layout ") + name + ": expected " + std::to_string(min) +
                                        " to " + std::to_string(max) + ", received " + std::to_string(value));
}

bool isPowerOfTwo(uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

void placeFullyContiguous(BlockLayout& layout, uint64_t alignment) {
  layout.outerStride = layout.regionBytes;
  layout.layerStride = checkedMultiply(layout.regionBytes, layout.outerDim, "layer stride");
  layout.extentBytes = layout.bytesPerBlock;
  layout.extentsPerBlock = 1;
  layout.blockStride = alignUp(layout.extentBytes, alignment);
  layout.totalBytes = checkedMultiply(layout.blockStride, layout.numBlocks, "pool size");
}

void placeLayerSeparate(BlockLayout& layout, uint64_t alignment) {
  uint64_t layerBytes = 0;
  if (layout.blockDim == BlockDim::kFirst) {
    layout.outerStride = layout.regionBytes;
    layout.extentBytes = checkedMultiply(layout.regionBytes, layout.outerDim, "block in a layer");
    layout.extentsPerBlock = layout.numLayers;
    layout.blockStride = alignUp(layout.extentBytes, alignment);
    layerBytes = checkedMultiply(layout.blockStride, layout.numBlocks, "layer buffer");
  } else {
    layout.extentBytes = layout.regionBytes;
    layout.extentsPerBlock = layout.numLayers * layout.outerDim;
    layout.blockStride = alignUp(layout.regionBytes, alignment);
    layout.outerStride = checkedMultiply(layout.blockStride, layout.numBlocks, "outer stride");
    layerBytes = checkedMultiply(layout.outerStride, layout.outerDim, "layer buffer");
  }
  layout.layerStride = alignUp(layerBytes, std::max(alignment, kLayerAlignmentBytes));
  layout.layerGapBytes = layout.layerStride - layerBytes;
  layout.totalBytes = checkedMultiply(layout.layerStride, layout.numLayers, "pool size");
}

}  // namespace

BlockLayout makeLayout(const LayoutShape& shape, uint32_t numBlocks, uint64_t minAlignment) {
  requireRange("numBlocks", numBlocks, 1, UINT32_MAX);
  requireRange("numLayers", shape.numLayers, 1, 1U << 16);
  requireRange("outerDim", shape.outerDim, 1, 2);
  requireRange("pageSize", shape.pageSize, 1, UINT32_MAX);
  requireRange("innerDim", shape.innerDim, 1, UINT32_MAX);
  requireRange("dtypeWidthBytes", shape.dtypeWidthBytes, 1, 8);
  if (!isPowerOfTwo(shape.alignment) || shape.alignment > (1ULL << 30)) {
    throw Error(ErrorCode::kArgument, "layout alignment: expected a power of two up to 1 GiB, received " +
                                          std::to_string(shape.alignment));
  }
  BlockLayout layout;
  layout.kind = shape.kind;
  layout.blockDim = shape.blockDim;
  layout.numBlocks = numBlocks;
  layout.numLayers = shape.numLayers;
  layout.outerDim = shape.outerDim;
  layout.regionBytes = checkedMultiply(checkedMultiply(shape.pageSize, shape.innerDim, "region"),
                                       shape.dtypeWidthBytes, "region");
  layout.bytesPerBlock =
      checkedMultiply(checkedMultiply(layout.regionBytes, shape.outerDim, "block"), shape.numLayers, "block");
  layout.alignment = std::max(shape.alignment, minAlignment);
  if (shape.kind == LayoutKind::kFullyContiguous) {
    placeFullyContiguous(layout, layout.alignment);
  } else {
    placeLayerSeparate(layout, layout.alignment);
  }
  return layout;
}

Extent extentAt(const BlockLayout& layout, uint64_t index) {
  const auto block = static_cast<uint32_t>(index % layout.numBlocks);
  const auto part = static_cast<uint32_t>(index / layout.numBlocks);
  Extent extent{0, block, 0, layout.numLayers, 0, layout.outerDim};
  if (layout.kind == LayoutKind::kLayerSeparate) {
    const bool blockFirst = layout.blockDim == BlockDim::kFirst;
    extent.layerBegin = blockFirst ? part : part / layout.outerDim;
    extent.layerEnd = extent.layerBegin + 1;
    if (!blockFirst) {
      extent.outerBegin = part % layout.outerDim;
      extent.outerEnd = extent.outerBegin + 1;
    }
  }
  extent.offset = layout.offset(block, extent.layerBegin, extent.outerBegin);
  return extent;
}

void requireSameRegions(const BlockLayout& source, const BlockLayout& target) {
  if (source.numLayers == target.numLayers && source.outerDim == target.outerDim &&
      source.regionBytes == target.regionBytes) {
    return;
  }
  const auto words = [](const BlockLayout& layout) {
    return std::to_string(layout.numLayers) + " layers x " + std::to_string(layout.outerDim) + " x " +
           std::to_string(layout.regionBytes) + " bytes";
  };
  throw Error(ErrorCode::kArgument, "layouts of source and target must have equal regions: source has " +
                                        words(source) + ", target has " + words(target));
}

}  // namespace railrunner
