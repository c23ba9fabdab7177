#pragma once

#include <numeric>

#include "kv/block_layout.h"

// Layouts for tests, in the dimensions that specs use.
namespace railrunner::test {

// One group: layers x outer indices x (page x inner x width) bytes.
inline LayoutShape uniform(LayoutKind kind, BlockDim blockDim, uint32_t numLayers, uint32_t outerDim,
                           uint64_t pageSize, uint64_t innerDim, uint64_t dtypeWidthBytes,
                           uint64_t alignment) {
  GroupShape group;
  group.layers.resize(numLayers);
  std::iota(group.layers.begin(), group.layers.end(), 0);
  group.regionBytes.assign(outerDim, pageSize * innerDim * dtypeWidthBytes);
  return {kind, blockDim, alignment, {group}};
}

}  // namespace railrunner::test
