#pragma once

#include <vector>

#include "kv/block_layout.h"
#include "kv/cuda/pattern_view.h"

namespace railrunner::cuda {

enum class Spans { kRegions, kPadding, kGaps };

// Spans of one kind in one group that lie at even distances: one call of a kernel visits them. The view lacks
// what the content says: base, owner, poison. Gaps are visited as those of one block.
struct SpanSet {
  Spans kind;
  uint64_t begin;  // of the first span, from the pool's first byte
  PatternView view{};
};

// All spans of a group, and of its section where it is the last of a fullyContiguous one. The sets of all
// groups cover each byte of the pool once.
std::vector<SpanSet> spanSetsOf(const BlockLayout& layout, uint32_t group);

}  // namespace railrunner::cuda
