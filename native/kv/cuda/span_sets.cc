#include "kv/cuda/span_sets.h"

#include <algorithm>
#include <utility>

namespace railrunner::cuda {

namespace {

class SpanSets {
 public:
  SpanSets(const BlockLayout& layout, uint32_t index)
      : layout_(layout),
        index_(index),
        group_(layout.groups[index]),
        section_(layout.sections[group_.section]) {
    addRegions();
    if (layout.kind == LayoutKind::kFullyContiguous) {
      if (index + 1 == section_.groupEnd) addContiguousPadding();
    } else {
      addSeparatePadding();
    }
  }
  std::vector<SpanSet> take() { return std::move(sets_); }

 private:
  PatternView& add(Spans kind, uint64_t begin, uint64_t bytes, uint64_t blockStride) {
    SpanSet& set = sets_.emplace_back(SpanSet{kind, begin});
    set.view.group = index_;
    set.view.bytes = bytes;
    set.view.blockStride = blockStride;
    set.view.layerStride = group_.layerStride;
    set.view.numLayers = group_.numLayers();
    set.view.numOuters = 1;
    set.view.poisonOnly = kind == Spans::kRegions ? 0 : 1;
    set.view.pagesPerBlock = layout_.pages.pagesPerBlock;
    return set.view;
  }

  // K and V of one size are visited together, by address.
  void addRegions() {
    const OuterLayout& first = group_.outers[0];
    const OuterLayout& second = group_.outers[1];
    const bool together = group_.numOuters == 1 || first.regionBytes == second.regionBytes;
    for (uint32_t outer = 0; outer < (together ? 1 : group_.numOuters); ++outer) {
      const OuterLayout& of = group_.outers[outer];
      PatternView& view = add(Spans::kRegions, of.begin, of.regionBytes, of.blockStride);
      view.firstOuter = outer;
      addPages(view, of.runs);
      if (!together || group_.numOuters == 1) continue;
      view.numOuters = group_.numOuters;
      view.outerStride = second.begin - first.begin;
    }
  }

  void addPages(PatternView& view, const PageRuns& runs) const {
    if (runs.isWhole(layout_.pages.pagesPerBlock)) return;
    view.innerRows = runs.innerRows;
    view.rowWords = runs.rowBytes / 8;
    view.firstWord = runs.firstByte / 8;
    view.outerStep = runs.outerStep / 8;
    view.innerStep = runs.innerStep / 8;
  }

  void addContiguousPadding() {
    const Strip& strip = layout_.strips[section_.stripBegin];
    add(Spans::kPadding, strip.begin + strip.extentBytes, strip.stride - strip.extentBytes, strip.stride)
        .numLayers = 1;
    if (strip.gapBytes > 0) add(Spans::kGaps, gapBegin(layout_, strip), strip.gapBytes, 0).numLayers = 1;
  }

  // Behind the extents of the group's first layer; those of the others lie at its layer stride.
  void addSeparatePadding() {
    for (const Strip& strip : layout_.strips) {
      if (strip.groupBegin != index_ || strip.layers.begin != 0) continue;
      PatternView& view = add(Spans::kPadding, strip.begin + strip.extentBytes,
                              strip.stride - strip.extentBytes, strip.stride);
      view.firstOuter = std::min(strip.outerEnd, group_.numOuters) - 1;
      if (strip.gapBytes > 0) add(Spans::kGaps, gapBegin(layout_, strip), strip.gapBytes, 0);
    }
  }

  const BlockLayout& layout_;
  uint32_t index_;
  const GroupLayout& group_;
  const Section& section_;
  std::vector<SpanSet> sets_;
};

}  // namespace

std::vector<SpanSet> spanSetsOf(const BlockLayout& layout, uint32_t group) {
  return SpanSets(layout, group).take();
}

}  // namespace railrunner::cuda
