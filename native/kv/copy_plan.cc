#include "kv/copy_plan.h"

#include <algorithm>

#include "core/error.h"

namespace railrunner {

namespace {

// Regions are emitted by their place in the source where runs are joined: neighbours in the order of emission
// are then neighbours in memory, and joining takes one pass and no sorting.
class Builder {
 public:
  Builder(const LaneRequest& lane, const CopyPlanOptions& options)
      : lane_(lane), options_(options), source_(lane.source->layout()), target_(lane.target->layout()) {
    for (const GroupLayout& group : source_.groups)
      spans_.push_back(group.span(lane.layerBegin, lane.layerEnd));
  }

  CopyPlan build() {
    const auto blocks = static_cast<uint32_t>(lane_.sourceIds.size());
    const Payload payload = payloadOf(source_, lane_.sourceIds, lane_.layerBegin, lane_.layerEnd);
    plan_.numRegions = payload.regions;
    plan_.payloadBytes = payload.bytes;
    if (!options_.coalesce) plan_.spans.reserve(plan_.numRegions);
    for (uint32_t begin = 0; begin < blocks; begin += options_.maxTransferBatchSize) {
      batchBegin_ = plan_.spans.size();
      addBatch(begin, std::min(blocks, begin + options_.maxTransferBatchSize));
      // A batch whose blocks hold none of the layers is none: nobody could wait for its end.
      if (plan_.spans.size() > batchBegin_)
        plan_.batchEnds.push_back(static_cast<uint32_t>(plan_.spans.size()));
    }
    return std::move(plan_);
  }

 private:
  void addBatch(uint32_t begin, uint32_t end) {
    if (options_.coalesce && source_.kind == LayoutKind::kLayerSeparate) {
      for (const Section& section : source_.sections) addSection(section, begin, end);
      return;
    }
    for (uint32_t entry = begin; entry < end; ++entry) {
      const Section& section = source_.sectionOf(lane_.sourceIds[entry]);
      for (uint32_t group = section.groupBegin; group < section.groupEnd; ++group) {
        for (uint32_t position = spans_[group].begin; position < spans_[group].end; ++position)
          addOuters(entry, group, position);
      }
    }
  }

  // One buffer per layer (and outer index): the batch's blocks in each of them.
  void addSection(const Section& section, uint32_t begin, uint32_t end) {
    entries_.clear();
    for (uint32_t entry = begin; entry < end; ++entry) {
      if (&source_.sectionOf(lane_.sourceIds[entry]) == &section) entries_.push_back(entry);
    }
    for (uint32_t group = section.groupBegin; group < section.groupEnd; ++group) {
      for (uint32_t position = spans_[group].begin; position < spans_[group].end; ++position) {
        if (source_.blockDim == BlockDim::kFirst) {
          for (const uint32_t entry : entries_) addOuters(entry, group, position);
          continue;
        }
        for (uint32_t outer = 0; outer < source_.groups[group].numOuters; ++outer) {
          for (const uint32_t entry : entries_) addRegion(entry, group, position, outer);
        }
      }
    }
  }

  void addOuters(uint32_t entry, uint32_t group, uint32_t position) {
    for (uint32_t outer = 0; outer < source_.groups[group].numOuters; ++outer)
      addRegion(entry, group, position, outer);
  }

  void addRegion(uint32_t entry, uint32_t group, uint32_t position, uint32_t outer) {
    addRun(plan_.spans, options_.coalesce ? batchBegin_ : plan_.spans.size(),
           {source_.offset(lane_.sourceIds[entry], group, position, outer),
            target_.offset(lane_.targetIds[entry], group, position, outer),
            source_.groups[group].outers[outer].regionBytes},
           options_.maxSpanBytes == 0 ? UINT64_MAX : options_.maxSpanBytes);
  }

  const LaneRequest& lane_;
  const CopyPlanOptions& options_;
  const BlockLayout& source_;
  const BlockLayout& target_;
  std::vector<LayerSpan> spans_;  // by group
  std::vector<uint32_t> entries_;
  CopyPlan plan_;
  size_t batchBegin_ = 0;
};

}  // namespace

void addRun(std::vector<CopySpan>& spans, size_t first, CopySpan run, uint64_t maxSpanBytes) {
  const auto takeFrom = [&run](uint64_t bytes) {
    run.sourceOffset += bytes;
    run.targetOffset += bytes;
    run.bytes -= bytes;
  };
  if (spans.size() > first) {
    CopySpan& last = spans.back();
    if (last.sourceOffset + last.bytes == run.sourceOffset &&
        last.targetOffset + last.bytes == run.targetOffset && last.bytes < maxSpanBytes) {
      const uint64_t joined = std::min(run.bytes, maxSpanBytes - last.bytes);
      last.bytes += joined;
      takeFrom(joined);
    }
  }
  while (run.bytes > 0) {
    const uint64_t part = std::min(run.bytes, maxSpanBytes);
    spans.push_back({run.sourceOffset, run.targetOffset, part});
    takeFrom(part);
  }
}

CopyPlan compileCopyPlan(const LaneRequest& lane, const CopyPlanOptions& options) {
  if (options.maxTransferBatchSize == 0)
    throw Error(ErrorCode::kArgument, "maxTransferBatchSize: expected 1 or more");
  requireSameRegions(lane.source->layout(), lane.target->layout());
  return Builder(lane, options).build();
}

}  // namespace railrunner
