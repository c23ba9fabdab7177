#include "kv/cuda/cuda_store.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <numeric>
#include <optional>

#include "core/pattern.h"
#include "device/cuda/cuda_handles.h"
#include "device/device.h"
#include "kv/cuda/pattern_kernels.h"
#include "kv/cuda/span_sets.h"

namespace railrunner {

namespace {

using cuda::Buffer;
using cuda::PatternBlock;
using cuda::PatternResult;
using cuda::PatternView;
using cuda::Spans;
using cuda::SpanSet;

class CudaStore final : public ContentStore {
 public:
  CudaStore(int ordinal, std::byte* base, const BlockLayout& layout)
      : ordinal_(ordinal), base_(base), layout_(layout) {
    cuda::makeCurrent(ordinal_);
    cuda::check(cuda::preloadPatternKernels(), "loading the pattern kernels");
    stream_.emplace();
    done_.emplace();
    result_ = Buffer(Buffer::Place::kDevice, sizeof(PatternResult));
  }

  void write(const PoolContent& content, const std::vector<uint32_t>& blocks, bool layerGaps,
             const RunControl& control) override {
    cuda::makeCurrent(ordinal_);
    for (uint32_t group = 0; group < layout_.groups.size(); ++group) {
      const uint32_t count = upload(content, group, blocks);
      for (const SpanSet& set : cuda::spanSetsOf(layout_, group)) {
        if (set.kind == Spans::kGaps) {
          if (layerGaps) fill(viewOf(set, content), 1);
        } else {
          fill(viewOf(set, content), count);
        }
      }
      // Before the next group's table overwrites this one's.
      finish(control);
    }
  }

  CheckReport check(const PoolContent& content, uint32_t, const RunControl& control) override {
    std::vector<uint32_t> all(layout_.numBlocks);
    std::iota(all.begin(), all.end(), 0);
    return compareBlocks(content, all, true, control);
  }

  CheckReport checkBlocks(const PoolContent& content, const std::vector<uint32_t>& blocks, uint32_t,
                          const RunControl& control) override {
    return compareBlocks(content, blocks, false, control);
  }

  void readBytes(uint64_t offset, void* target, uint64_t bytes) override {
    cuda::makeCurrent(ordinal_);
    cuda::check(cudaMemcpy(target, base_ + offset, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  }

  void writeBytes(uint64_t offset, const void* source, uint64_t bytes) override {
    cuda::makeCurrent(ordinal_);
    cuda::copyToDevice(base_ + offset, source, bytes);
  }

 private:
  CheckReport compareBlocks(const PoolContent& content, const std::vector<uint32_t>& blocks, bool layerGaps,
                            const RunControl& control) {
    cuda::makeCurrent(ordinal_);
    CheckReport whole;
    for (uint32_t group = 0; group < layout_.groups.size(); ++group) {
      const std::vector<uint32_t> own = inSectionOf(group, blocks);
      upload(content, group, own);
      for (const SpanSet& set : cuda::spanSetsOf(layout_, group)) {
        if (set.kind == Spans::kGaps && !layerGaps) continue;
        mergeReport(whole, compare(set, own, content, control));
      }
    }
    return whole;
  }

  // Those that have the group's layers.
  std::vector<uint32_t> inSectionOf(uint32_t group, const std::vector<uint32_t>& blocks) const {
    const Section& section = layout_.sections[layout_.groups[group].section];
    std::vector<uint32_t> own;
    std::copy_if(blocks.begin(), blocks.end(), std::back_inserter(own), [&](uint32_t block) {
      return block >= section.firstBlock && block - section.firstBlock < section.numBlocks;
    });
    return own;
  }

  // One entry for each listed block of the group's section, in all how many; one stands for the pool where
  // gaps are visited.
  uint32_t upload(const PoolContent& content, uint32_t index, const std::vector<uint32_t>& blocks) {
    const GroupLayout& group = layout_.groups[index];
    const Section& section = layout_.sections[group.section];
    std::vector<PatternBlock> table;
    const uint32_t pagesPerBlock = layout_.pages.pagesPerBlock;
    table.reserve((blocks.size() + 1) * pagesPerBlock);
    for (const uint32_t block : inSectionOf(index, blocks)) {
      for (uint32_t page = 0; page < pagesPerBlock; ++page) {
        const BlockHolds& holds = content.blocks[uint64_t{block} * pagesPerBlock + page];
        const LayerSpan held = group.span(holds.layerBegin, holds.layerEnd);
        table.push_back({holds.seed, block - section.firstBlock, holds.block, held.begin, held.end,
                         content.ownerOf(holds), 0});
      }
    }
    const auto count = static_cast<uint32_t>(table.size() / pagesPerBlock);
    if (table.empty()) table.resize(pagesPerBlock);
    const uint64_t bytes = table.size() * sizeof(PatternBlock);
    if (blocks_.bytes() < bytes) blocks_ = Buffer(Buffer::Place::kDevice, bytes);
    cuda::copyToDevice(blocks_.as(), table.data(), bytes, "cudaMemcpy of block contents");
    return count;
  }

  PatternView viewOf(const SpanSet& set, const PoolContent& content) const {
    PatternView view = set.view;
    view.base = reinterpret_cast<uint64_t>(base_) + set.begin;
    view.poison = poisonWord(content.poisonSalt);
    return view;
  }

  void fill(const PatternView& view, uint32_t numBlocks) {
    cuda::check(cuda::launchFill(view, blocks_.as<PatternBlock>(), numBlocks, *stream_),
                "launching fillKernel");
  }

  void finish(const RunControl& control) {
    done_->record(*stream_);
    done_->wait(control);
  }

  // `blocks`: those of the table.
  CheckReport compare(const SpanSet& set, const std::vector<uint32_t>& blocks, const PoolContent& content,
                      const RunControl& control) {
    CheckReport report;
    const PatternView view = viewOf(set, content);
    const auto numBlocks = static_cast<uint32_t>(set.kind == Spans::kGaps ? 1 : blocks.size());
    if (view.bytes == 0 || numBlocks == 0) return report;
    PatternResult result{0, PatternResult::kNoPlace};
    cuda::copyToDevice(result_.as(), &result, sizeof(result));
    cuda::check(
        cuda::launchCheck(view, blocks_.as<PatternBlock>(), numBlocks, result_.as<PatternResult>(), *stream_),
        "launching checkKernel");
    finish(control);
    cuda::check(cudaMemcpy(&result, result_.as(), sizeof(result), cudaMemcpyDeviceToHost), "cudaMemcpy");
    report.checked = uint64_t{numBlocks} * view.numLayers * view.numOuters * ((view.bytes + 7) / 8);
    report.wrong = result.wrong;
    if (result.wrong != 0) {
      const uint64_t span = result.firstPlace >> 32;
      const auto place = static_cast<size_t>(span / (uint64_t{view.numLayers} * view.numOuters));
      report.firstBlock = set.kind == Spans::kGaps ? 0 : blocks[place];
      report.firstBad = describe(set, view, content, report.firstBlock, result.firstPlace);
    }
    return report;
  }

  // The place and both words, in the words of the check of CPU memory.
  std::string describe(const SpanSet& set, const PatternView& view, const PoolContent& content,
                       uint32_t block, uint64_t firstPlace) {
    const uint64_t span = firstPlace >> 32;
    const uint64_t word = firstPlace & 0xffffffffU;
    const GroupLayout& group = layout_.groups[view.group];
    const Section& section = layout_.sections[group.section];
    const uint32_t place = set.kind == Spans::kGaps ? 0 : block - section.firstBlock;
    const auto position = static_cast<uint32_t>(span / view.numOuters % view.numLayers);
    const auto outer = static_cast<uint32_t>(span % view.numOuters);
    const uint64_t offset = set.begin + place * view.blockStride + position * view.layerStride +
                            outer * view.outerStride + 8 * word;
    const uint64_t bytes = std::min<uint64_t>(8, view.bytes - 8 * word);
    uint64_t found = 0;
    readBytes(offset, &found, bytes);
    const PagePlace at = placeOf(set, view.firstOuter + outer, word);
    const BlockHolds& holds = content.blocks[uint64_t{block} * layout_.pages.pagesPerBlock + at.page];
    const LayerSpan held = group.span(holds.layerBegin, holds.layerEnd);
    const bool poison = set.kind != Spans::kRegions || position < held.begin || position >= held.end;
    uint64_t expected = view.poison;
    if (!poison) {
      expected = patternWord(regionBase({holds.seed, content.ownerOf(holds), holds.block, view.group,
                                         position, view.firstOuter + outer}),
                             at.word);
    }
    if (bytes < 8) expected &= (uint64_t{1} << (8 * bytes)) - 1;
    char text[96];
    std::snprintf(text, sizeof(text), " word %llu: expected 0x%016llx, found 0x%016llx",
                  static_cast<unsigned long long>(word), static_cast<unsigned long long>(expected),
                  static_cast<unsigned long long>(found));
    return spanName(set, block, position, outer, 8 * word, poison) + text;
  }

  // The page that a word of a span belongs to, and its number there.
  struct PagePlace {
    uint32_t page;
    uint64_t word;
  };
  PagePlace placeOf(const SpanSet& set, uint32_t outer, uint64_t word) const {
    PagePlace place{0, word};
    if (set.kind != Spans::kRegions) return place;
    const PageRuns& runs = layout_.groups[set.view.group].outers[outer].runs;
    forEachRun(runs, layout_.pages.pagesPerBlock,
               [&](uint32_t page, uint64_t offset, uint64_t bytes, uint64_t first) {
                 if (8 * word >= offset && 8 * word < offset + bytes)
                   place = {page, first / 8 + word - offset / 8};
               });
    return place;
  }

  std::string spanName(const SpanSet& set, uint32_t block, uint32_t position, uint32_t outer, uint64_t byte,
                       bool poison) const {
    const GroupLayout& group = layout_.groups[set.view.group];
    const bool isWhole = set.kind != Spans::kRegions && layout_.kind == LayoutKind::kFullyContiguous;
    if (isWhole) position = group.numLayers() - 1;
    if (set.kind == Spans::kGaps) return gapName(layout_, set.view.group, position);
    if (isWhole) outer = group.numOuters - 1;
    outer += set.view.firstOuter;
    if (set.kind == Spans::kPadding)
      return "padding behind " + regionName(layout_, block, set.view.group, position, outer);
    return placeName(layout_, block, set.view.group, position, outer, byte) +
           (poison ? " (not transferred)" : "");
  }

  int ordinal_;
  std::byte* base_;
  BlockLayout layout_;
  std::optional<cuda::Stream> stream_;
  std::optional<cuda::Event> done_;
  Buffer blocks_;
  Buffer result_;
};

}  // namespace

std::unique_ptr<ContentStore> makeCudaStore(Device& device, std::byte* base, const BlockLayout& layout) {
  return std::make_unique<CudaStore>(device.ordinal(), base, layout);
}

}  // namespace railrunner
