#pragma once

#include "kv/block_layout.h"

// Blocks of several groups of layers, small: one of each kind that models have.
namespace railrunner::test {

struct NamedShape {
  const char* name;
  LayoutShape shape;
};

// Layers 2 and 5 keep everything, the others a window, with twice the heads and K longer than V.
inline LayoutShape windowed(LayoutKind kind, BlockDim blockDim, uint64_t alignment, uint32_t windowSection) {
  return {kind,
          blockDim,
          alignment,
          {{"full", {2, 5}, {384, 256}, 0}, {"window", {0, 1, 3, 4}, {768, 512}, windowSection}}};
}

// Every layer has a latent and the keys of its indexer, of which no size is a multiple of 8.
inline LayoutShape indexed(LayoutKind kind, BlockDim blockDim, uint64_t alignment) {
  return {kind, blockDim, alignment, {{"latent", {0, 1, 2}, {1152}, 0}, {"index", {0, 1, 2}, {132}, 0}}};
}

// K and V of different size in one group.
inline LayoutShape uneven(LayoutKind kind, BlockDim blockDim, uint64_t alignment) {
  return {kind, blockDim, alignment, {{"", {0, 1, 2}, {1536, 1024}, 0}}};
}

// Large enough that staged copies take several steps: 2 x 64 KiB and 2 x 96 KiB of a layer.
inline LayoutShape largeWindowed(LayoutKind kind, BlockDim blockDim, uint32_t windowSection) {
  return {kind,
          blockDim,
          1,
          {{"full", {1, 3}, {65536, 65536}, 0}, {"window", {0, 2, 4, 5}, {98304, 98304}, windowSection}}};
}

inline std::vector<NamedShape> groupShapes() {
  std::vector<NamedShape> shapes;
  const struct {
    const char* name;
    LayoutKind kind;
    BlockDim blockDim;
  } kinds[] = {{"fullyContiguous", LayoutKind::kFullyContiguous, BlockDim::kFirst},
               {"layerSeparate first", LayoutKind::kLayerSeparate, BlockDim::kFirst},
               {"layerSeparate second", LayoutKind::kLayerSeparate, BlockDim::kSecond}};
  for (const auto& [name, kind, blockDim] : kinds) {
    shapes.push_back({name, windowed(kind, blockDim, 1, 0)});
    shapes.push_back({name, windowed(kind, blockDim, 256, 1)});
    shapes.push_back({name, indexed(kind, blockDim, 1)});
    shapes.push_back({name, uneven(kind, blockDim, 64)});
  }
  return shapes;
}

// Blocks of each section of a shape; the windows' are fewer.
inline std::vector<uint32_t> blocksOf(const LayoutShape& shape, uint32_t numBlocks) {
  if (shape.groups.back().section == 0) return {numBlocks};
  return {numBlocks - numBlocks / 3, numBlocks / 3};
}

}  // namespace railrunner::test
