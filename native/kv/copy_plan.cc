#include "kv/copy_plan.h"

#include <algorithm>
#include <array>

#include "core/checked.h"
#include "core/error.h"

namespace railrunner {

namespace {

// The three dimensions of a batch, largest stride of the source first: neighbours in the order of emission
// are then neighbours in memory, and joining runs takes one pass and no sorting.
enum class Dimension { kBlock, kLayer, kOuter };

std::array<Dimension, 3> emissionOrder(const BlockLayout& layout, bool coalesce) {
  if (!coalesce || layout.kind == LayoutKind::kFullyContiguous) {
    return {Dimension::kBlock, Dimension::kLayer, Dimension::kOuter};
  }
  if (layout.blockDim == BlockDim::kFirst) return {Dimension::kLayer, Dimension::kBlock, Dimension::kOuter};
  return {Dimension::kLayer, Dimension::kOuter, Dimension::kBlock};
}

class Builder {
 public:
  Builder(const LaneRequest& lane, const CopyPlanOptions& options)
      : lane_(lane), options_(options), source_(lane.source->layout()), target_(lane.target->layout()) {}

  CopyPlan build() {
    const auto blocks = static_cast<uint32_t>(lane_.sourceIds.size());
    const uint64_t regionsPerBlock =
        static_cast<uint64_t>(lane_.layerEnd - lane_.layerBegin) * source_.outerDim;
    plan_.numRegions = checkedMultiply(blocks, regionsPerBlock, "regions of a transfer");
    plan_.payloadBytes = checkedMultiply(plan_.numRegions, source_.regionBytes, "payload");
    if (!options_.coalesce) plan_.spans.reserve(plan_.numRegions);
    for (uint32_t begin = 0; begin < blocks; begin += options_.maxTransferBatchSize) {
      addBatch(begin, std::min(blocks, begin + options_.maxTransferBatchSize));
      plan_.batchEnds.push_back(static_cast<uint32_t>(plan_.spans.size()));
    }
    return std::move(plan_);
  }

 private:
  void addBatch(uint32_t begin, uint32_t end) {
    batchBegin_ = plan_.spans.size();
    const auto order = emissionOrder(source_, options_.coalesce);
    const auto bounds = [&](Dimension dimension) -> std::array<uint32_t, 2> {
      if (dimension == Dimension::kBlock) return {begin, end};
      if (dimension == Dimension::kLayer) return {lane_.layerBegin, lane_.layerEnd};
      return {0, source_.outerDim};
    };
    const auto first = bounds(order[0]);
    const auto second = bounds(order[1]);
    const auto third = bounds(order[2]);
    uint32_t at[3];  // by Dimension
    for (uint32_t i = first[0]; i < first[1]; ++i) {
      at[static_cast<size_t>(order[0])] = i;
      for (uint32_t j = second[0]; j < second[1]; ++j) {
        at[static_cast<size_t>(order[1])] = j;
        for (uint32_t k = third[0]; k < third[1]; ++k) {
          at[static_cast<size_t>(order[2])] = k;
          addRegion(at[0], at[1], at[2]);
        }
      }
    }
  }

  void addRegion(uint32_t entry, uint32_t layer, uint32_t outer) {
    uint64_t from = source_.offset(lane_.sourceIds[entry], layer, outer);
    uint64_t to = target_.offset(lane_.targetIds[entry], layer, outer);
    uint64_t bytes = source_.regionBytes;
    const uint64_t limit = options_.maxSpanBytes == 0 ? UINT64_MAX : options_.maxSpanBytes;
    if (options_.coalesce && plan_.spans.size() > batchBegin_) {
      CopySpan& last = plan_.spans.back();
      if (last.sourceOffset + last.bytes == from && last.targetOffset + last.bytes == to &&
          last.bytes < limit) {
        const uint64_t joined = std::min(bytes, limit - last.bytes);
        last.bytes += joined;
        from += joined;
        to += joined;
        bytes -= joined;
      }
    }
    while (bytes > 0) {
      const uint64_t part = std::min(bytes, limit);
      plan_.spans.push_back({from, to, part});
      from += part;
      to += part;
      bytes -= part;
    }
  }

  const LaneRequest& lane_;
  const CopyPlanOptions& options_;
  const BlockLayout& source_;
  const BlockLayout& target_;
  CopyPlan plan_;
  size_t batchBegin_ = 0;
};

}  // namespace

CopyPlan compileCopyPlan(const LaneRequest& lane, const CopyPlanOptions& options) {
  if (options.maxTransferBatchSize == 0)
    throw Error(ErrorCode::kArgument, "maxTransferBatchSize: expected 1 or more");
  requireSameRegions(lane.source->layout(), lane.target->layout());
  return Builder(lane, options).build();
}

}  // namespace railrunner
