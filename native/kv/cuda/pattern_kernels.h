#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace railrunner::cuda {

// What one block of a pool holds: the pattern of `block` under `seed` in layers [layerBegin, layerEnd),
// poison in the others. `place` is its index in the pool.
struct PatternBlock {
  uint64_t seed;
  uint32_t place;
  uint32_t block;
  uint32_t layerBegin;
  uint32_t layerEnd;
};

// The spans of a pool that a call visits: for each block, layer < numLayers and outer < numOuters the `bytes`
// at
//   base + place * blockStride + layer * layerStride + outer * outerStride + skip
// at any alignment. A span's words count from its first byte; a last partial word holds the low bytes.
struct PatternView {
  uint64_t base;
  uint64_t blockStride;
  uint64_t layerStride;
  uint64_t outerStride;
  uint64_t skip;
  uint64_t bytes;
  uint32_t numLayers;
  uint32_t numOuters;
  uint32_t owner;       // RegionIdentity::owner
  uint32_t poisonOnly;  // not 0: padding, which holds poison whatever the block holds
  uint64_t poison;      // poisonWord() of the salt
};

// What a check adds to, in device memory; start from {0, kNoPlace}.
struct PatternResult {
  static constexpr uint64_t kNoPlace = ~0ULL;
  uint64_t wrong;
  // The smallest (index in the block list * numLayers * numOuters + layer * numOuters + outer) << 32 | word.
  uint64_t firstPlace;
};

// Writes what the blocks (device memory) hold.
cudaError_t launchFill(const PatternView& view, const PatternBlock* blocks, uint32_t numBlocks,
                       cudaStream_t stream);

// Compares every word with what launchFill writes and adds those that differ to *result.
cudaError_t launchCheck(const PatternView& view, const PatternBlock* blocks, uint32_t numBlocks,
                        PatternResult* result, cudaStream_t stream);

cudaError_t preloadPatternKernels();

}  // namespace railrunner::cuda
