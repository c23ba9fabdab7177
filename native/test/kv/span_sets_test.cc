// links: kv/cuda/span_sets.cc kv/block_layout.cc kv/page_runs.cc core/error.cc
// The spans that kernels fill and check are those that CPU threads fill and check: no GPU is needed to see it.
#include "kv/cuda/span_sets.h"

#include "test/kv/group_shapes.h"
#include "test/support/layout_shapes.h"
#include "test/support/named_cases.h"

using namespace railrunner;
using namespace railrunner::cuda;
using namespace railrunner::test;

namespace {

// Adds 1 to each byte of each span.
void cover(const BlockLayout& layout, const SpanSet& set, std::vector<uint8_t>& bytes) {
  const PatternView& view = set.view;
  const uint32_t numBlocks =
      set.kind == Spans::kGaps ? 1 : layout.sections[layout.groups[view.group].section].numBlocks;
  for (uint32_t block = 0; block < numBlocks; ++block) {
    for (uint32_t layer = 0; layer < view.numLayers; ++layer) {
      for (uint32_t outer = 0; outer < view.numOuters; ++outer) {
        const uint64_t begin =
            set.begin + block * view.blockStride + layer * view.layerStride + outer * view.outerStride;
        ok(begin + view.bytes <= bytes.size(), "a span ends behind the pool");
        for (uint64_t i = 0; i < view.bytes; ++i) ++bytes[begin + i];
      }
    }
  }
}

void requireTiling(const LayoutShape& shape, const std::string& name) {
  for (const uint64_t alignment : {uint64_t{1}, uint64_t{256}, kDiskBlockBytes}) {
    const BlockLayout layout = makeLayout(shape, blocksOf(shape, 6), alignment);
    std::vector<uint8_t> bytes(layout.totalBytes, 0);
    for (uint32_t group = 0; group < layout.groups.size(); ++group) {
      for (const SpanSet& set : spanSetsOf(layout, group)) cover(layout, set, bytes);
    }
    for (size_t i = 0; i < bytes.size(); ++i)
      expectEqual(static_cast<int>(bytes[i]), 1, name + ": visits of byte " + std::to_string(i));
  }
}

}  // namespace

TEST("the spans of all groups cover each byte of a pool once") {
  for (const NamedShape& each : groupShapes()) requireTiling(each.shape, each.name);
  for (const LayoutKind kind : {LayoutKind::kFullyContiguous, LayoutKind::kLayerSeparate}) {
    for (const BlockDim blockDim : {BlockDim::kFirst, BlockDim::kSecond})
      requireTiling(uniform(kind, blockDim, 3, 2, 1, 77, 1, 1), "uniform");
  }
}

TEST("regions are where the layout says, under the identity that CPU threads give them") {
  for (const NamedShape& each : groupShapes()) {
    const BlockLayout layout = makeLayout(each.shape, blocksOf(each.shape, 6), 1);
    for (uint32_t group = 0; group < layout.groups.size(); ++group) {
      const uint32_t firstBlock = layout.sections[layout.groups[group].section].firstBlock;
      for (const SpanSet& set : spanSetsOf(layout, group)) {
        if (set.kind != Spans::kRegions) continue;
        expectEqual(set.view.group, group, "group");
        for (uint32_t outer = 0; outer < set.view.numOuters; ++outer) {
          const uint64_t at =
              set.begin + set.view.blockStride + set.view.layerStride + outer * set.view.outerStride;
          expectEqual(at, layout.offset(firstBlock + 1, group, 1, set.view.firstOuter + outer), each.name);
        }
      }
    }
  }
}

TEST("a model with K and V of one size takes one call for its regions") {
  const BlockLayout layout =
      makeLayout(uniform(LayoutKind::kLayerSeparate, BlockDim::kSecond, 3, 2, 8, 64, 2, 1), {6}, 1);
  expectEqual(spanSetsOf(layout, 0).front().view.numOuters, 2U, "K and V");
}

int main() { return runAll(); }
