#pragma once

#include <cstdint>
#include <vector>

#include "kv/block_pool.h"

namespace railrunner {

// One direction of a transfer: block sourceIds[i] of the source goes to block targetIds[i] of the target,
// layers [layerBegin, layerEnd) alone. The pools must outlive whatever is compiled from it.
struct LaneRequest {
  BlockPool* source = nullptr;
  BlockPool* target = nullptr;
  std::vector<uint32_t> sourceIds;
  std::vector<uint32_t> targetIds;
  uint32_t layerBegin = 0;
  uint32_t layerEnd = 0;
};

// Checked before any memory is touched, always: equal lengths, at least one block, layer range, equal regions,
// ids in range on both sides and of the same groups in pairs, no target twice, no block that is source and
// target of one pool. Throws kBlockIds naming ids
// and bounds. Duplicate sources are legal: one block may fan out.
void validateLane(const LaneRequest& lane);

// Lanes that run at the same time must not meet: nothing that one writes may be read or written by another.
void validateDisjoint(const std::vector<LaneRequest>& lanes);

}  // namespace railrunner
