#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kv/cuda/pattern_view.h"

namespace railrunner::cuda {

// What a check adds to, in device memory; start from {0, kNoPlace}.
struct PatternResult {
  static constexpr uint64_t kNoPlace = ~0ULL;
  uint64_t wrong;
  // The smallest (index in the block list * numLayers * numOuters + layer * numOuters + outer - firstOuter) << 32
  // | word.
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
