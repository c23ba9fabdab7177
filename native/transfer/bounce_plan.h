#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kv/copy_plan.h"

// Transfers in two hops: through a bounce buffer of two groups, of which one fills while the other drains.
namespace railrunner {

inline constexpr uint32_t kBounceGroups = 2;

// Spans [first, end) of the plan, which lie in a group one behind the other. Chunk i uses group i modulo kBounceGroups.
struct BounceChunk {
  uint32_t firstSpan = 0;
  uint32_t endSpan = 0;
  uint64_t bytes = 0;
};

struct BouncePlan {
  uint64_t groupBytes = 0;
  std::vector<BounceChunk> chunks;
  std::vector<uint64_t> offsets;  // by span: its first byte in the buffer
};

// Cuts a plan into chunks that fill a group as far as whole spans do. Throws kArgument where a span does not fit a group.
// Both ends of a transfer make the same of the same plan.
BouncePlan planBounce(const CopyPlan& plan, uint64_t groupBytes);

// The first hop, by chunk: from the source into the buffer. Of a plan with a planted fault, cut as the right one is.
std::vector<std::vector<CopySpan>> fillSpans(const CopyPlan& plan, const BouncePlan& bounce);
// The second: from the buffer into the target.
std::vector<std::vector<CopySpan>> drainSpans(const CopyPlan& plan, const BouncePlan& bounce);

}  // namespace railrunner
