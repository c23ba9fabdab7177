#include "transfer/bounce_plan.h"

#include <string>

#include "core/error.h"

namespace railrunner {

BouncePlan planBounce(const CopyPlan& plan, uint64_t groupBytes) {
  BouncePlan bounce;
  bounce.groupBytes = groupBytes;
  bounce.offsets.reserve(plan.spans.size());
  for (uint32_t i = 0; i < plan.spans.size(); ++i) {
    const uint64_t bytes = plan.spans[i].bytes;
    if (bytes > groupBytes) {
      throw Error(ErrorCode::kArgument, "bounce buffer: a group of " + std::to_string(groupBytes) +
                                            " bytes does not hold a piece of " + std::to_string(bytes));
    }
    if (bounce.chunks.empty() || bounce.chunks.back().bytes + bytes > groupBytes)
      bounce.chunks.push_back({i, i, 0});
    BounceChunk& chunk = bounce.chunks.back();
    const uint64_t group = (bounce.chunks.size() - 1) % kBounceGroups;
    bounce.offsets.push_back(group * groupBytes + chunk.bytes);
    chunk.bytes += bytes;
    chunk.endSpan = i + 1;
  }
  return bounce;
}

std::vector<std::vector<CopySpan>> fillSpans(const CopyPlan& plan, const BouncePlan& bounce) {
  std::vector<std::vector<CopySpan>> chunks;
  for (const BounceChunk& chunk : bounce.chunks) {
    std::vector<CopySpan>& spans = chunks.emplace_back();
    for (uint32_t i = chunk.firstSpan; i < chunk.endSpan; ++i)
      spans.push_back({plan.spans[i].sourceOffset, bounce.offsets[i], plan.spans[i].bytes});
  }
  return chunks;
}

std::vector<std::vector<CopySpan>> drainSpans(const CopyPlan& plan, const BouncePlan& bounce) {
  std::vector<std::vector<CopySpan>> chunks;
  for (const BounceChunk& chunk : bounce.chunks) {
    std::vector<CopySpan>& spans = chunks.emplace_back();
    for (uint32_t i = chunk.firstSpan; i < chunk.endSpan; ++i)
      spans.push_back({bounce.offsets[i], plan.spans[i].targetOffset, plan.spans[i].bytes});
  }
  return chunks;
}

}  // namespace railrunner
